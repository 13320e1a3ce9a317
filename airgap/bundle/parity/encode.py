# SPDX-License-Identifier: Apache-2.0
"""Makes parity volumes: one pass over the data volumes, a stripe at a time, in flat memory."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from airgap.bundle.media.checksums import checksums_path, file_sha256, format_checksums, read_checksums
from airgap.bundle.media.file import create_partial, open_regular_file, partial_path, reserve
from airgap.bundle.media.volume_names import is_parity_name
from airgap.bundle.parity.files import VolumeFiles, scratch
from airgap.bundle.parity.galois import coefficients, combination
from airgap.bundle.parity.geometry import (
    BLOCK,
    HASH,
    PAGE,
    PAYLOAD,
    Member,
    ParitySet,
    parity_paths,
    planned_set,
    read_title,
    record_page,
    title_page,
)
from airgap.durable import publish, replace_file, write_at, writing


def make_parity(path: Path, volumes: Sequence[Path], parity: int, observe: Callable[[int], None]) -> list[Path]:
    """Write ``parity`` parity volumes for the finished ``volumes`` of the bundle ``path``, and return their paths.

    Those that an earlier run finished are kept. The checksums file lists all of them. ``observe`` is called with the
    bytes that were read, and may raise. Raises :class:`airgap.errors.OutputError` and :class:`BundleError`.
    """
    paths = parity_paths(path, parity)
    parity_set = _set_of(path, volumes, parity)
    if not all(_is_made(place, parity_set, number) for number, place in enumerate(paths)):
        _write(parity_set, volumes, paths, observe)
    _write_checksums(path, parity_set, paths)
    return paths


def listed_volumes(path: Path) -> tuple[Path, list[Path], list[Path]] | None:
    """Return what the checksums file lists that names ``path``: the bundle, its data volumes, its parity volumes.

    ``None`` if no file in the folder lists it with parity volumes.
    """
    for checksums in sorted(path.parent.glob("*.sha256")):
        names = read_checksums(checksums)
        bundle = checksums.with_name(checksums.name.removesuffix(".sha256"))
        parity = [name for name in names if is_parity_name(name) and name.startswith(f"{bundle.name}.p")]
        if path.name in names and parity:
            data = [path.with_name(name) for name in names if name not in parity]
            return bundle, data, [path.with_name(name) for name in parity]
    return None


def _set_of(path: Path, volumes: Sequence[Path], parity: int) -> ParitySet:
    sums = read_checksums(checksums_path(path))
    members = []
    for volume in volumes:
        fd, size = open_regular_file(volume)
        try:
            members.append(Member(volume.name, size, sums.get(volume.name) or file_sha256(fd)))
        finally:
            os.close(fd)
    planned = planned_set([member.name for member in members], [member.size for member in members], path.name, parity)
    return ParitySet(tuple(members), planned.parity)


def _is_made(path: Path, parity_set: ParitySet, number: int) -> bool:
    """Whether the file is the parity volume: it got its name after its last byte."""
    if not path.is_file() or path.stat().st_size != parity_set.parity_size():
        return False
    with open(path, "rb") as file:
        title = read_title(file.read(PAGE))
    return title is not None and (title.set_id, title.number) == (parity_set.id, number)


def _write(
    parity_set: ParitySet, volumes: Sequence[Path], paths: Sequence[Path], observe: Callable[[int], None]
) -> None:
    with ExitStack() as stack:
        record = stack.enter_context(scratch(parity_set.record_size, paths[0].parent))
        files = stack.enter_context(VolumeFiles.open(parity_set, [*volumes, *paths]))
        outputs = []
        for path in paths:
            fd = create_partial(path)
            stack.callback(os.close, fd)
            with writing(path):
                os.ftruncate(fd, 0)
            reserve(fd, parity_set.parity_size(), path)
            outputs.append(fd)
        fill_record(parity_set, record)
        _write_blocks(parity_set, files, record, paths, outputs, observe)
        for number, (path, fd) in enumerate(zip(paths, outputs, strict=True)):
            write_record(parity_set, number, record, fd, path)
            with writing(path):
                publish(fd, partial_path(path), path)


def fill_record(parity_set: ParitySet, record: mmap.mmap) -> None:
    """Write the beginning of the record, before its hashes."""
    header = parity_set.header()
    record[: 4 + len(header)] = len(header).to_bytes(4, "big") + header


def hash_at(parity_set: ParitySet, number: int, stripe: int) -> int:
    """Return the offset in the record of the hash of a volume's block."""
    return 4 + len(parity_set.header()) + (number * parity_set.stripes + stripe) * HASH


def _write_blocks(
    parity_set: ParitySet, files: VolumeFiles, record: mmap.mmap, paths: Sequence[Path], outputs: Sequence[int],
    observe: Callable[[int], None],
) -> None:  # fmt: skip
    count, first = len(parity_set.data), parity_set.blocks_at()
    rows = coefficients(count, len(parity_set.parity))
    starts = [hash_at(parity_set, number, 0) for number in range(len(parity_set.members))]

    def note_hash(number: int, stripe: int, block: bytes) -> None:
        place = starts[number] + stripe * HASH
        record[place : place + HASH] = hashlib.sha256(block).digest()

    for stripe in range(parity_set.stripes):
        blocks = [files.block(number, stripe) for number in range(count)]
        for number, block in enumerate(blocks):
            note_hash(number, stripe, block)
        for number, row in enumerate(rows):
            block = combination(zip(row, blocks, strict=True), BLOCK)
            note_hash(count + number, stripe, block)
            with writing(paths[number]):
                write_at(outputs[number], memoryview(block), first + stripe * BLOCK)
        observe(sum(map(len, blocks)))


def write_record(parity_set: ParitySet, number: int, record: mmap.mmap, fd: int, path: Path) -> None:
    """Write the title and the record to both ends of parity volume ``number``."""
    title, set_id, size = title_page(parity_set, number), parity_set.id, parity_set.record_size
    end = parity_set.parity_size()
    copies = (PAGE, end - parity_set.blocks_at())
    with writing(path):
        for place in (0, end - PAGE):
            write_at(fd, memoryview(title), place)
        for page in range(parity_set.pages):
            content = record_page(set_id, page, record[page * PAYLOAD : min((page + 1) * PAYLOAD, size)])
            for copy in copies:
                write_at(fd, memoryview(content), copy + page * PAGE)


def _write_checksums(path: Path, parity_set: ParitySet, paths: Sequence[Path]) -> None:
    """List the data volumes and the parity volumes, so that ``sha256sum -c`` checks all of them."""
    lines = [(member.name, member.sha256) for member in parity_set.data]
    for place in paths:
        fd, _ = open_regular_file(place)
        try:
            lines.append((place.name, file_sha256(fd)))
        finally:
            os.close(fd)
    with writing(checksums_path(path)):
        replace_file(checksums_path(path), format_checksums(lines))

# SPDX-License-Identifier: Apache-2.0
"""Finds what is missing or damaged in a set of volumes, and whether the rest restores it."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airgap.bundle.media.checksums import file_sha256
from airgap.bundle.media.file import open_regular_file
from airgap.bundle.media.volume_names import is_parity_name
from airgap.bundle.parity.encode import hash_at
from airgap.bundle.parity.files import VolumeFiles, scratch
from airgap.bundle.parity.galois import MOST_VOLUMES
from airgap.bundle.parity.geometry import (
    BLOCK,
    FORMAT,
    HASH,
    PAGE,
    PAYLOAD,
    Member,
    ParitySet,
    Title,
    page_hash,
    read_title,
)
from airgap.records import Record
from airgap.store.readers import translate_read_errors

_PLAIN_NAME = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]{1,255}")
#: Bytes of a header: names of 256 volumes, and what stands around them.
_LARGEST_HEADER = MOST_VOLUMES * 2_000


class FoundSet(Record, frozen=False):
    """A set with the paths where its volumes are or should be, and its record as far as a copy of it is whole.

    ``known`` has a byte for each page of the record, 1 if the page is known.
    """

    parity_set: ParitySet
    paths: list[Path]
    record: mmap.mmap
    known: bytearray

    def expected(self, number: int, stripe: int) -> bytes | None:
        """Return the hash of a block; ``None`` if no copy of it is whole."""
        place = hash_at(self.parity_set, number, stripe)
        pages = range(place // PAYLOAD, (place + HASH - 1) // PAYLOAD + 1)
        return bytes(self.record[place : place + HASH]) if all(self.known[page] for page in pages) else None


class Assessment(Record, frozen=False):
    """What is wrong with a set. ``bad`` has, for each volume, a byte for each stripe: 1 if the block is bad.

    ``records`` are the numbers of parity volumes whose title or record is damaged.
    """

    found: FoundSet
    bad: list[bytearray]
    records: list[int]

    @property
    def damaged(self) -> list[int]:
        """The numbers of the volumes that are missing or damaged."""
        numbers = {number for number, flags in enumerate(self.bad) if any(flags)} | set(self.records)
        return sorted(
            numbers | {number for number, path in enumerate(self.found.paths) if self._has_wrong_size(number)}
        )

    def _has_wrong_size(self, number: int) -> bool:
        path = self.found.paths[number]
        return not path.exists() or path.stat().st_size != self.found.parity_set.members[number].size

    def names(self, numbers: Sequence[int]) -> str:
        """Return the file names of volumes for a message."""
        return ", ".join(self.found.parity_set.members[number].name for number in numbers)

    @property
    def lost_stripes(self) -> list[int]:
        """The stripes in which more blocks are bad than there are parity volumes."""
        most = len(self.found.parity_set.parity)
        if len(self.damaged) <= most:
            return []
        return [stripe for stripe, count in enumerate(map(sum, zip(*self.bad, strict=True))) if count > most]

    def to_make_again(self) -> list[int]:
        """Return the fewest volumes that must come from elsewhere, by trying those with the most bad blocks first.

        Data volumes are preferred: a parity volume can only be made from all of them.
        """
        lost, chosen = self.lost_stripes, []
        most, data = len(self.found.parity_set.parity), len(self.found.parity_set.data)
        remaining = {number: self.bad[number] for number in self.damaged}
        while lost:
            number = max(remaining, key=lambda one: (sum(remaining[one][stripe] for stripe in lost), one < data, -one))
            chosen.append(number)
            del remaining[number]
            lost = [stripe for stripe in lost if sum(flags[stripe] for flags in remaining.values()) > most]
        return sorted(chosen)


@contextmanager
def parity_set_of(paths: Sequence[Path]) -> Iterator[FoundSet | None]:
    """Find the parity volumes that belong to any of ``paths`` in their folders; yield ``None`` if none can be used.

    Raises :class:`airgap.errors.BundleError` for files that cannot be read.
    """
    candidates = [file for folder in _folders(paths) for file in sorted(folder.iterdir()) if is_parity_name(file.name)]
    titles = {path: title for path in candidates if (title := _title_of(path)) is not None}
    names = {path.name for path in paths}
    for set_id in dict.fromkeys(title.set_id for title in titles.values()):
        members = [(path, title) for path, title in titles.items() if title.set_id == set_id]
        title = members[0][1]
        with scratch(title.record_size, members[0][0].parent) as record:
            known = _read_record(members, title, record)
            parity_set = _parse(record, known, title)
            if parity_set is None or not names & {member.name for member in parity_set.members}:
                continue
            yield FoundSet(parity_set, _places(parity_set, paths), record, known)
            return
    yield None


def _folders(paths: Sequence[Path]) -> list[Path]:
    return [folder for folder in dict.fromkeys(path.parent for path in paths) if folder.is_dir()]


def _places(parity_set: ParitySet, paths: Sequence[Path]) -> list[Path]:
    """Where each volume is, or would be: a given path, or a folder of the given ones that has it."""
    given, folders = {path.name: path for path in paths}, _folders(paths)
    places = []
    for member in parity_set.members:
        choices = [given[member.name]] if member.name in given else []
        choices += [folder / member.name for folder in folders]
        places.append(next((choice for choice in choices if choice.exists()), choices[0]))
    return places


def _title_of(path: Path) -> Title | None:
    """The title at the beginning of a file, or else at its end, if its numbers can be true."""
    fd, size = open_regular_file(path)
    try:
        with translate_read_errors(str(path)):
            pages = [os.pread(fd, PAGE, 0), os.pread(fd, PAGE, max(0, size - PAGE))]
    finally:
        os.close(fd)
    for page in pages:
        title = read_title(page)
        if (
            title is not None
            and 0 < title.stripes <= size // BLOCK + 1
            and title.pages == -(-title.record_size // PAYLOAD)
            and title.record_size <= _LARGEST_HEADER + MOST_VOLUMES * title.stripes * HASH
        ):
            return title
    return None


def _read_record(members: Sequence[tuple[Path, Title]], title: Title, record: mmap.mmap) -> bytearray:
    """Fill ``record`` from the whole pages of all copies, and return which pages are known."""
    known = bytearray(title.pages)
    blocks_at = PAGE * (1 + title.pages)
    for path, _ in members:
        fd, _size = open_regular_file(path)
        try:
            for copy in (PAGE, blocks_at + title.stripes * BLOCK):
                for page in range(title.pages):
                    if known[page]:
                        continue
                    with translate_read_errors(str(path), copy + page * PAGE):
                        content = os.pread(fd, PAGE, copy + page * PAGE)
                    if _is_whole(content, title.set_id, page):
                        end = min((page + 1) * PAYLOAD, title.record_size)
                        record[page * PAYLOAD : end] = content[HASH : HASH + end - page * PAYLOAD]
                        known[page] = 1
        finally:
            os.close(fd)
    return known


def _is_whole(content: bytes, set_id: bytes, page: int) -> bool:
    return len(content) == PAGE and page_hash(set_id, page, content[HASH:]) == content[:HASH]


def _parse(record: mmap.mmap, known: bytearray, title: Title) -> ParitySet | None:
    """The set that the header describes; ``None`` if it is damaged or says what cannot be."""
    size = int.from_bytes(record[:4], "big")
    if not known[0] or not 0 < size <= min(_LARGEST_HEADER, title.record_size - 4):
        return None
    if not all(known[page] for page in range((4 + size - 1) // PAYLOAD + 1)):
        return None
    header = bytes(record[4 : 4 + size])
    if hashlib.sha256(header).digest() != title.set_id:
        return None
    document = json.loads(header)
    if document.get("format") != FORMAT or document.get("block") != BLOCK:
        return None
    data = tuple(Member(name, bytes_, sha256) for name, bytes_, sha256 in document["data"])
    draft = ParitySet(data, tuple(Member(name, 0) for name in document["parity"]))
    names = [member.name for member in draft.members]
    plausible = (
        0 < len(names) <= MOST_VOLUMES
        and bool(draft.data) and bool(draft.parity)
        and len(set(names)) == len(names)
        and all(_PLAIN_NAME.fullmatch(name) for name in names)
        and all(0 <= member.size <= title.stripes * BLOCK for member in data)
        and draft.stripes == title.stripes
    )  # fmt: skip
    if not plausible:
        return None
    parity_size = draft.parity_size()
    return ParitySet(data, tuple(Member(member.name, parity_size) for member in draft.parity))


def assess(found: FoundSet, observe: Callable[[int], None], *, data: bool = True) -> Assessment:
    """Read the volumes of the set and compare each block. ``observe`` is called with the bytes, and may raise.

    Without ``data`` only parity volumes are read: the caller has proven the others.
    """
    parity_set = found.parity_set
    bad = [bytearray(parity_set.stripes) for _ in parity_set.members]
    with VolumeFiles.open(parity_set, found.paths) as files:
        for number in range(0 if data else len(parity_set.data), len(parity_set.members)):
            _compare(found, files, number, bad[number], observe)
        records = [
            number for number in range(len(parity_set.data), len(parity_set.members))
            if number in files.fds and not _has_whole_record(found, files, number)
        ]  # fmt: skip
    return Assessment(found, bad, records)


def _compare(
    found: FoundSet, files: VolumeFiles, number: int, flags: bytearray, observe: Callable[[int], None]
) -> None:
    """Mark the bad blocks of one volume. Where its hashes are lost, the checksum of the whole volume decides."""
    parity_set, unknown = found.parity_set, []
    for stripe in range(parity_set.stripes):
        size = parity_set.block_size(number, stripe)
        if not size:
            continue
        block, expected = files.block(number, stripe), found.expected(number, stripe)
        observe(len(block))
        if len(block) != size:
            flags[stripe] = 1
        elif expected is None:
            unknown.append(stripe)
        elif hashlib.sha256(block).digest() != expected:
            flags[stripe] = 1
    if unknown and not _is_whole_volume(parity_set.members[number], files.fds.get(number)):
        for stripe in unknown:
            flags[stripe] = 1


def _is_whole_volume(member: Member, fd: int | None) -> bool:
    return fd is not None and bool(member.sha256) and file_sha256(fd) == member.sha256


def _has_whole_record(found: FoundSet, files: VolumeFiles, number: int) -> bool:
    """Whether both titles and both copies of the record of a parity volume are whole."""
    parity_set, fd = found.parity_set, files.fds[number]
    end, set_id = parity_set.parity_size(), parity_set.id
    for place in (0, end - PAGE):
        title = read_title(os.pread(fd, PAGE, place))
        if title is None or (title.set_id, title.number) != (set_id, number - len(parity_set.data)):
            return False
    return all(
        _is_whole(os.pread(fd, PAGE, copy + page * PAGE), set_id, page)
        for copy in (PAGE, end - parity_set.blocks_at())
        for page in range(parity_set.pages)
    )

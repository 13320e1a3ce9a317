# SPDX-License-Identifier: Apache-2.0
"""Adds a signature to a finished bundle: behind its blobs, or as a file beside it.

In the bundle only its last bytes are written; its blobs are not read. A compressed bundle, and one on a medium that
cannot be written, get a file beside them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from airgap.bundle.folder.signing import add_to_folder
from airgap.bundle.media.checksums import checksums_path, file_sha256, format_checksums, read_checksums, refresh_csv
from airgap.bundle.media.volume_names import SIGNATURE_ROOM, bundle_name
from airgap.bundle.reader import BundleReader
from airgap.bundle.signatures import sidecar_for
from airgap.bundle.tail import tail_bytes
from airgap.durable import FileLocked, lock, replace_file, write_at, writing
from airgap.errors import OutputError
from airgap.i18n import tr


def add_signature(bundle: BundleReader, name: str, content: bytes, *, detached: bool = False) -> Path:
    """Add the signature that is called ``name`` in a bundle, or replace it, and return the file that has it now.

    ``detached`` writes a file beside the bundle in any case. Raises :class:`OutputError`.
    """
    if detached or not bundle.is_appendable:
        path = sidecar_for(bundle.path, name)
        with writing(path):
            replace_file(path, content)
        return path
    if bundle.is_folder:
        add_to_folder(bundle.path, name, content)
        return bundle.path
    tail = tail_bytes({**bundle.signatures(), name: content})
    _write_tail(bundle, tail)
    return bundle.path


def _write_tail(bundle: BundleReader, tail: bytes) -> None:
    """Replace everything behind the blobs, in one or several volumes. The last one gets its new length."""
    files = [Path(file) for file in bundle.files]
    size, start = bundle.volume_size, bundle.blobs_end
    is_split = bundle.is_split and len(files) > 1
    # A single volume does not show how large it may be, but export left room in it.
    room = size * len(files) - start if is_split else SIGNATURE_ROOM
    if bundle.is_split and len(tail) > room:
        raise OutputError(
            tr("the last volume has no room for this signature"),
            where=str(files[-1]),
            hint=tr("airgap sign --detached writes it beside the bundle"),
        )
    with ExitStack() as stack:
        changed: list[tuple[Path, int]] = []
        parts = list(_parts(start, tail, size if is_split else start + len(tail), len(files)))
        for number, _, _ in parts:
            changed.append((files[number], _open(files[number], stack)))
        for (_, position, piece), (path, fd) in zip(parts, changed, strict=True):
            with writing(path):
                write_at(fd, memoryview(piece), position)
                os.ftruncate(fd, position + len(piece))
                os.fsync(fd)
        _update_checksums(changed)


def _parts(start: int, tail: bytes, size: int, count: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield which volume of ``size`` bytes gets which part of the tail, and where; all of them to the last one."""
    for number in range(start // size if start < size * count else count - 1, count):
        volume_start = number * size
        first, end = max(start, volume_start), volume_start + size
        yield number, first - volume_start, tail[first - start : end - start]


def _open(path: Path, stack: ExitStack) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        stack.callback(os.close, fd)
        lock(fd)
    except FileLocked as error:
        raise OutputError(tr("another airgap is writing this bundle"), where=str(path)) from error
    except OSError as error:
        raise OutputError(
            tr("cannot write here: {strerror}", strerror=error.strerror),
            where=str(path),
            hint=tr("airgap sign --detached writes the signature into a file beside the bundle"),
        ) from error
    return fd


def _update_checksums(changed: list[tuple[Path, int]]) -> None:
    """Write the new checksums of the files into the bundle's list of them, if there is one."""
    first = changed[0][0]
    path = checksums_path(first.with_name(bundle_name(str(first))))
    checksums = read_checksums(path)
    if not checksums:
        return
    with writing(path):
        for volume, fd in changed:
            if volume.name in checksums:
                checksums[volume.name] = file_sha256(fd)
        replace_file(path, format_checksums(list(checksums.items())))
    refresh_csv(first.with_name(bundle_name(str(first))))

# SPDX-License-Identifier: Apache-2.0
"""Uncompressed tars on the disk, of which zstd frames take parts as prefixes."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from airgap.durable import write_at, writing
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.store.readers import translate_read_errors

_EXTENT = 1 << 20


class RawFile(Record):
    """A tar of ``size`` bytes with its ``digest``: ``extents`` are where its pieces of 1 MiB begin in ``fd``."""

    fd: int
    extents: list[int]
    size: int
    digest: str
    where: str

    def region(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes from ``offset`` on. Raises :class:`airgap.errors.BundleError`."""
        found, end = bytearray(), min(offset + count, self.size)
        with translate_read_errors(self.where, offset):
            while offset < end and (piece := self._piece(offset, end)):
                found += piece
                offset += len(piece)
        return bytes(found)

    def _piece(self, offset: int, end: int) -> bytes:
        skipped = offset % _EXTENT
        return os.pread(self.fd, min(_EXTENT - skipped, end - offset), self.extents[offset // _EXTENT] + skipped)


class RawFiles:
    """The tars of one run, in one file in ``folder`` that has no name: nothing is left of it, however the run ends.

    A context manager. Thread-safe.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with writing(folder):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - see __exit__
        self._end = 0
        self._lock = threading.Lock()

    def __enter__(self) -> RawFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, pieces: Iterable[bytes], algorithm: str = "sha256") -> RawFile:
        """Write ``pieces`` as one tar. Raises :class:`airgap.errors.OutputError`."""
        hash_, size, extents = digests.hasher(f"{algorithm}:"), 0, list[int]()
        with writing(self.folder):
            for piece in pieces:
                hash_.update(piece)
                rest = memoryview(piece)
                while rest:
                    if not (used := size % _EXTENT):
                        extents.append(self._reserve())
                    part = rest[: _EXTENT - used]
                    write_at(self._file.fileno(), part, extents[-1] + used)
                    size, rest = size + len(part), rest[len(part) :]
        return RawFile(self._file.fileno(), extents, size, f"{algorithm}:{hash_.hexdigest()}", str(self.folder))

    def _reserve(self) -> int:
        with self._lock:
            self._end += _EXTENT
            return self._end - _EXTENT

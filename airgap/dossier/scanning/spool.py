# SPDX-License-Identifier: Apache-2.0
"""One file of an archive, in memory or on the disk, while the engine scans it and the archive in it is unpacked."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

from airgap.dossier.streams import RawStream
from airgap.errors import OutputError
from airgap.i18n import tr

#: Bytes of a file that is kept in memory.
_MOST_IN_MEMORY = 1024 * 1024


class Spool:
    """A file without a name, in memory while it is small; with ``named`` one on the disk that nobody else can read.

    It is closed once each of its users has called :meth:`release`; the maker is the first one. All offsets are given
    with each call, so several threads can read it.
    """

    def __init__(self, *, named: bool = False) -> None:
        self.size = 0
        self._users = 1
        self._lock = threading.Lock()
        self._in_memory = not named and hasattr(os, "memfd_create")
        with _translated():
            self._file: IO[bytes]
            if self._in_memory:
                # A file on a disk takes a hundred times as long to make, and most files in images are small.
                self._file = open(os.memfd_create("airgap-scan"), "rb", buffering=0)  # noqa: SIM115 - see release
            else:
                self._file = tempfile.NamedTemporaryFile() if named else tempfile.TemporaryFile()  # noqa: SIM115
        self.name = str(self._file.name)

    def fileno(self) -> int:
        """The file descriptor. Its own offset is at the beginning, and stays there."""
        return self._file.fileno()

    def write(self, piece: bytes) -> None:
        """Append bytes. Raises :class:`OutputError` where there is no space."""
        with _translated():
            if self._in_memory and self.size + len(piece) > _MOST_IN_MEMORY:
                self._move_to_disk()
            view = memoryview(piece)
            while view:
                count = os.pwrite(self.fileno(), view, self.size)
                self.size += count
                view = view[count:]

    def _move_to_disk(self) -> None:
        """Only the maker writes, and before anybody else uses it."""
        content = self.pread(self.size, 0)
        self._file.close()
        self._file, self._in_memory, self.size = tempfile.TemporaryFile(), False, 0  # noqa: SIM115 - see release
        self.write(content)

    def extend(self, size: int) -> None:
        """Make it ``size`` bytes long by a hole. Raises :class:`OutputError`."""
        with _translated():
            os.ftruncate(self.fileno(), size)
        self.size = size

    def pread(self, count: int, offset: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``."""
        return os.pread(self.fileno(), count, offset)

    def stream(self) -> SpoolStream:
        """Return its bytes from the beginning."""
        return SpoolStream(self)

    def keep(self) -> None:
        """Count one more user."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """Close the file, if this was its last user."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._file.close()


class SpoolStream(RawStream):
    """Reads a spool from its beginning."""

    def __init__(self, spool: Spool) -> None:
        self._spool, self._offset = spool, 0

    def read_some(self, buffer: memoryview) -> int:
        """Read the next bytes."""
        piece = self._spool.pread(len(buffer), self._offset)
        buffer[: len(piece)] = piece
        self._offset += len(piece)
        return len(piece)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            tr("cannot write: {strerror}", strerror=error.strerror or error),
            where=tempfile.gettempdir(),
            hint=tr("TMPDIR chooses another folder for the file that is being scanned"),
        ) from error

# SPDX-License-Identifier: Apache-2.0
"""An append-only file of JSON objects, one on each line, with one writer at a time.

The rule for damage: a line counts when it ends with a newline and holds a JSON object. Reading stops at the first
line that does not; opening for writing removes that line and everything after it. A killed process leaves at most the
last line incomplete.
A power cut may lose or garble every line after the last :meth:`Journal.sync`, and none before it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from airgap import bounded_json, limits
from airgap.durable.files import is_same_file, lock, sync_folder
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.system import sync_data, sync_file

#: JSON values of a line: the first one of an export has the lock.
_MAX_VALUES = 524_288


class Journal:
    """An open and locked journal. Thread-safe.

    ``entries_at_open`` are the objects that the file held when it was opened. Made by :meth:`open`.
    """

    def __init__(self, path: Path, fd: int, entries: list[dict[str, Any]], size: int) -> None:
        self.path = path
        self.entries_at_open = entries
        self._fd = fd
        self._count = len(entries)
        self._size = size
        self._guard = threading.Lock()

    @staticmethod
    def read(path: Path) -> list[dict[str, Any]]:
        """The objects in a journal, without its lock and without changing it. Raises OSError."""
        with path.open("rb") as file:
            return _parse(file)[0]

    @classmethod
    def open(cls, path: Path, *, create: bool = True, mode: int = 0o600) -> Journal:
        """Open the journal at ``path`` for appending and take its lock.

        Raises FileNotFoundError for a missing file unless ``create``, :class:`FileLocked` where another process holds
        the lock, OSError for everything else.
        """
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        while True:
            fd = os.open(path, flags, mode)
            try:
                lock(fd)
                # The previous holder may have removed the file between our open and our lock.
                if is_same_file(fd, path):
                    with open(fd, "rb", closefd=False) as file:
                        entries, size = _parse(file)
                    if size < os.fstat(fd).st_size:
                        os.ftruncate(fd, size)
                    return cls(path, fd, entries, size)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    @property
    def line_count(self) -> int:
        """How many lines the file has. Every one of them is written, though not necessarily synced."""
        return self._count

    def reset(self, head: Mapping[str, object]) -> None:
        """Replace the content with the line ``head``, and sync the file and its folder. Raises OSError."""
        with self._guard:
            os.ftruncate(self._fd, 0)
            self.entries_at_open, self._count, self._size = [], 0, 0
            self._append(head)
            sync_file(self._fd)
            sync_folder(self.path.parent)

    def append(self, entry: Mapping[str, object]) -> None:
        """Add a line. It survives a kill from here on, and a power cut after :meth:`sync`.

        Raises OSError; the file then ends with the previous line.
        """
        with self._guard:
            self._append(entry)

    def sync(self) -> None:
        """Make every line written so far survive a power cut. Raises OSError."""
        sync_data(self._fd)

    def close(self) -> None:
        """Release the lock. Closing twice does nothing."""
        with self._guard:
            fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def remove(self) -> None:
        """Delete the file, then release its lock. Raises OSError. After :meth:`close` this does nothing."""
        if self._fd < 0:
            return
        try:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
        finally:
            self.close()

    def _append(self, entry: Mapping[str, object]) -> None:
        if self._fd < 0:
            raise OSError(errno.EBADF, tr("the journal is closed"))
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        written = 0
        try:
            while written < len(line):
                written += os.pwrite(self._fd, line[written:], self._size + written)
        except OSError:
            # A full disk may take half a line; nothing may follow it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(line)
        self._count += 1


def _parse(file: BinaryIO) -> tuple[list[dict[str, Any]], int]:
    """The objects of the valid lines from the start, and how many bytes these lines have.

    Raises OSError for a file past the limit ``journal-bytes``.
    """
    if os.fstat(file.fileno()).st_size > limits.value("journal-bytes"):
        raise OSError(errno.EFBIG, f"{os.strerror(errno.EFBIG)}; {limits.hint('journal-bytes')}")
    entries: list[dict[str, Any]] = []
    size = 0
    for line in file:
        try:
            entry = bounded_json.loads(line, values=_MAX_VALUES) if line.endswith(b"\n") else None
        except ContentError:
            break
        if not isinstance(entry, dict):
            break
        entries.append(entry)
        size += len(line)
    return entries, size

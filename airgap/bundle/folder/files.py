# SPDX-License-Identifier: Apache-2.0
"""Opens the files of a folder that may be a stranger's: regular files only, and no link on the way to them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from airgap.bundle.inventory import INVENTORY_MEMBER
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.store.readers import translate_read_errors

#: A folder deeper than any of a bundle is not searched.
_MAX_DEPTH = 8


def is_bundle_folder(path: Path) -> bool:
    """Whether there is a folder at ``path`` with an inventory in it."""
    try:
        return path.is_dir() and stat.S_ISREG(os.lstat(path / INVENTORY_MEMBER).st_mode)
    except OSError:
        return False


class FolderFiles:
    """The files below the folder ``path``, by names with ``/`` that are relative to it. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with translate_read_errors(str(path)):
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open(self, name: str) -> tuple[int, int] | None:
        """Open a file and return its file descriptor and size; ``None`` if it is missing.

        Raises :class:`BundleError` for anything but a regular file, and for a link on the way to it.
        """
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        fd = self._open(name, os.O_RDONLY | os.O_NONBLOCK)
        if fd is None:
            return None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise self._no_file(name)
        return fd, status.st_size

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, ``None`` if it is missing. Raises as :meth:`open` does."""
        opened = self.open(name)
        if opened is None:
            return None
        os.close(opened[0])
        return opened[1]

    def read(self, name: str, count: int, offset: int) -> bytes:
        """Return up to ``count`` bytes of a file from ``offset``; nothing if it is missing. Raises as :meth:`open`."""
        opened = self.open(name)
        if opened is None:
            return b""
        try:
            with translate_read_errors(str(self.path / name), offset):
                return os.pread(opened[0], count, offset)
        finally:
            os.close(opened[0])

    def names_in(self, folder: str, most: int) -> list[str]:
        """Return the names in a folder, at most ``most`` of them; nothing if it is missing."""
        fd = self._open(folder, os.O_RDONLY | os.O_DIRECTORY)
        if fd is None:
            return []
        try:
            with translate_read_errors(str(self.path / folder)), os.scandir(fd) as entries:
                return sorted(entry.name for entry in islice(entries, most))
        finally:
            os.close(fd)

    def walk(self) -> Iterator[str]:
        """Yield the name of everything that is no folder, and of folders deeper than a bundle has any."""
        yield from _walk(self._fd, "", _MAX_DEPTH)

    def close(self) -> None:
        """Close the folder. Closing twice does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _open(self, name: str, flags: int) -> int | None:
        *folders, last = name.split("/")
        with translate_read_errors(str(self.path / name)), contextlib.ExitStack() as stack:
            parent = self._fd
            try:
                for folder in folders:
                    how = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                    parent = os.open(folder, how, dir_fd=parent)
                    stack.callback(os.close, parent)
                return os.open(last, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            except FileNotFoundError:
                return None
            except OSError as error:
                # A socket gives ENXIO.
                if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
                    raise self._no_file(name) from None
                raise

    def _no_file(self, name: str) -> BundleError:
        return BundleError(
            tr("is no regular file, or a link leads there"),
            where=str(self.path / name),
            hint=tr("copy the bundle with its files in it, such as with cp -rL"),
        )


def _walk(folder_fd: int, prefix: str, depth: int) -> Iterator[str]:
    with os.scandir(folder_fd) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if not entry.is_dir(follow_symlinks=False) or not depth:
                yield name
                continue
            fd = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
            try:
                yield from _walk(fd, f"{name}/", depth - 1)
            finally:
                os.close(fd)

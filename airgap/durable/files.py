# SPDX-License-Identifier: Apache-2.0
"""Files that are replaced atomically, locked, and synced in the order that a power cut requires.

The order is always: write, fsync the file, rename, fsync the folder. ext4, XFS and Btrfs keep a rename only after the
fsync of its folder, and a file's bytes only after the fsync of the file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from airgap.errors import OutputError
from airgap.i18n import tr
from airgap.system import sync_file

_TEMPORARY_PREFIX = ".airgap-new-"
_TEMPORARY = re.compile(re.escape(_TEMPORARY_PREFIX) + "[a-z0-9_]{8}", re.ASCII)
#: Device and inode of the folders that this process has swept.
_swept: set[tuple[int, int]] = set()


class FileLocked(OSError):
    """Another process holds the lock of this file."""


def lock(fd: int) -> None:
    """Take the exclusive lock of an open file without waiting; it is released when ``fd`` is closed.

    Raises :class:`FileLocked` where another process holds it, OSError where the file system has no locks.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise FileLocked(error.errno, tr("locked by another process")) from error
        raise


@contextlib.contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Hold the exclusive lock of a folder while the block runs; waits for other processes that hold it.

    It protects files that are replaced, whose own locks end with them. Where a file system has no locks there is none.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def is_same_file(fd: int, path: Path) -> bool:
    """Whether ``path``, not followed if it is a link, is still the file that ``fd`` has open."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def write_at(fd: int, piece: memoryview, offset: int) -> None:
    """Write all of ``piece`` at ``offset``: a single ``pwrite`` may write less than it is given."""
    while piece:
        count = os.pwrite(fd, piece, offset)
        piece, offset = piece[count:], offset + count


def sync_folder(path: Path) -> None:
    """Make the creations, renames and removals in a folder survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file(fd)
    finally:
        os.close(fd)


def publish(fd: int, temporary: Path, path: Path) -> None:
    """Give a finished file its name: sync it, rename ``temporary`` to ``path``, sync the folder.

    ``fd`` is the open file at ``temporary``. Raises :class:`OutputError` where another process put a file of its own
    under that name, OSError for what the system calls report.
    """
    sync_file(fd)
    if not is_same_file(fd, temporary):
        raise OutputError(
            tr("another process replaced this file while it was being written"),
            where=str(temporary),
            hint=tr("make sure that only one airgap writes here"),
            again=True,
        )
    os.rename(temporary, path)
    sync_folder(path.parent)


def create_temporary(folder: Path) -> tuple[int, Path]:
    """Create a file for content that gets its name later, and lock it, so that no sweep takes it. Raises OSError."""
    while True:
        fd, name = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=folder)
        path = Path(name)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_same_file(fd, path):
                return fd, path
        except BlockingIOError:
            pass
        except OSError:
            return fd, path  # a file system without locks, on which nothing is swept either
        os.close(fd)  # a sweep came between, and has removed it or is about to


def sweep_temporaries(folder: Path) -> None:
    """Remove the temporary files that killed processes of this user left in ``folder``: those that nobody has locked.

    Looks into a folder once in the life of a process.
    """
    with contextlib.suppress(OSError):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in _swept:
            return
        _swept.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _TEMPORARY.fullmatch(entry.name)]
        for name in names:
            _remove_if_unused(folder / name)


def _remove_if_unused(path: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid():
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_same_file(fd, path):
                    path.unlink()
        finally:
            os.close(fd)


def new_file_mode() -> int:
    """Return the mode that the umask gives to new files. Temporary files, which have 0600 first, get it at the end."""
    with (
        contextlib.suppress(OSError, StopIteration, ValueError),
        open("/proc/self/status", encoding="ascii", errors="replace") as status,
    ):
        return 0o666 & ~int(next(line for line in status if line.startswith("Umask:")).split()[1], 8)
    # Without /proc it can only be read by setting it, for all threads.
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask


def replace_file(path: Path, content: bytes, *, mode: int | None = None, owner: tuple[int, int] | None = None) -> None:
    """Replace ``path`` with ``content`` atomically: a reader, and a power cut, see the old or the new file, whole.

    ``mode`` is by default what the umask leaves of 0666; ``owner`` is user and group ID. Raises OSError; the old file
    is then untouched.
    """
    sweep_temporaries(path.parent)
    fd, temporary = create_temporary(path.parent)
    try:
        try:
            write_at(fd, memoryview(content), 0)
            if owner is not None and owner != (os.getuid(), os.getgid()):
                os.fchown(fd, *owner)
            os.fchmod(fd, new_file_mode() if mode is None else mode)
            publish(fd, temporary, path)
        finally:
            os.close(fd)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Write a text file bit by bit, in UTF-8; it gets its name if the block ends without an exception.

    Raises :class:`OutputError`, also for an OSError of the block.
    """
    with writing(path):
        fd, name = tempfile.mkstemp(prefix=".airgap-", dir=path.parent)
        temporary = Path(name)
        try:
            with open(fd, "w", encoding="utf-8") as file:
                yield file
                file.flush()
                os.fchmod(fd, new_file_mode())
                publish(fd, temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into :class:`OutputError`, with ``path`` and what helps."""
    try:
        yield
    except OSError as error:
        raise output_error(error, path) from error


def output_error(error: OSError, path: Path) -> OutputError:
    """What a failed write to ``path`` means for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, hint = tr("the disk is full"), tr("free space, or choose another disk with -o")
    elif error.errno == errno.EFBIG:
        what = tr("this file system cannot hold a file of this size")
        hint = tr("--volume-size fat32 splits the bundle; or format the medium with exFAT, ext4 or NTFS")
    else:
        what, hint = tr("cannot write: {strerror}", strerror=error.strerror), tr("choose another place with -o")
    return OutputError(what, where=str(path), hint=hint)

# SPDX-License-Identifier: Apache-2.0
"""A tar in one file: read where it lies; written as ``NAME.partial``, its space reserved before the first byte."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.base import CUT_SHORT, translate_read_errors
from airgap.durable import FileLocked, is_same_file, lock, publish, write_at, writing
from airgap.errors import AirgapError, BundleError, OutputError
from airgap.store.protocols import Reader
from airgap.store.readers import FileRange


class BlobRange(FileRange):
    """A blob's bytes in a bundle's file."""

    def cut_short(self) -> AirgapError:
        return BundleError(f"cut short: {self.length:,} bytes are missing", where=self.where, hint=CUT_SHORT)


def open_regular(path: str | os.PathLike[str]) -> tuple[int, int]:
    """A file's descriptor and size. Raises :class:`BundleError` for what is no regular file."""
    with translate_read_errors(str(path)):
        # A pipe is not waited for.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        hint = "give the .tar that airgap export wrote, or - to read standard input"
        raise BundleError(f"this is {what}, and a bundle is a file", hint=hint)
    return fd, found.st_size


class FileMedium:
    """One whole file. Takes ``fd`` over."""

    ordered = False

    def __init__(self, where: str, fd: int, size: int) -> None:
        self.where = where
        self.size: int | None = size
        self._fd = fd

    def pread(self, count: int, offset: int) -> bytes:
        with translate_read_errors(self.where, offset):
            return os.pread(self._fd, count, offset)

    def open(self, offset: int, length: int) -> Reader:
        return BlobRange(self._fd, offset, length, where=self.where)

    def expect(self, total: int) -> None:
        if self.size is not None and self.size < total:
            raise BundleError(f"cut short: it should have {total:,} bytes and has {self.size:,}", hint=CUT_SHORT)

    def files_of(self, offset: int, length: int) -> Sequence[str]:
        return (self.where,)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class FileDraft:
    """Made by :meth:`begin` or :meth:`go_on`."""

    def __init__(self, path: Path, fd: int, size: int, *, ordered: bool) -> None:
        self.path = path
        #: Whether this file system makes writes out of order dear.
        self.ordered = ordered
        self._partial = partial_of(path)
        self._fd = fd
        self._size = size

    @classmethod
    def begin(cls, path: Path, size: int) -> FileDraft:
        """Reserve the space. Raises :class:`OutputError` when the folder cannot be written, another airgap is writing
        the same bundle, or there is too little space."""
        fd = begin_partial(path)
        try:
            with writing(path):
                os.ftruncate(fd, 0)
                ordered = not reserve(fd, size, path)
        except BaseException:
            # Before the lock is given up: what then has this name is another's.
            with contextlib.suppress(OSError):
                partial_of(path).unlink()
            os.close(fd)
            raise
        return cls(path, fd, size, ordered=ordered)

    @classmethod
    def go_on(cls, path: Path, size: int) -> FileDraft | None:
        """What an earlier run left, or ``None`` where nothing of this size lies there."""
        fd = reopen_partial(path, size)
        if fd is None:
            return None
        try:
            with writing(path):
                return cls(path, fd, size, ordered=not reserve(fd, size, path))
        except BaseException:
            os.close(fd)
            raise

    def write(self, piece: memoryview, offset: int) -> None:
        with writing(self.path):
            write_at(self._fd, piece, offset)

    def read(self, count: int, offset: int) -> bytes:
        with writing(self.path):
            return os.pread(self._fd, count, offset)

    def cut(self, offset: int) -> int:
        return offset

    def sync(self) -> None:
        with writing(self.path):
            os.fdatasync(self._fd)

    def finish(self) -> None:
        with writing(self.path):
            os.ftruncate(self._fd, self._size)
            publish(self._fd, self._partial, self.path)
        self.keep()

    def keep(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def discard(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._partial.unlink()
            self.keep()


def partial_of(path: Path) -> Path:
    """The name of a file while it is being made."""
    return path.with_name(f"{path.name}.partial")


def begin_partial(path: Path, *, trusted: bool = False) -> int:
    """Open and lock ``path``'s partial file, made if missing; what lies there must be one that airgap began, which
    is known of a ``trusted`` one."""
    partial = partial_of(path)
    if path.is_dir():
        raise OutputError("this is a folder", where=str(path), hint="name a file with -o")
    try:
        fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        hint = "choose another place with -o"
        raise OutputError(f"cannot write here: {error.strerror}", where=str(partial), hint=hint) from error
    try:
        _lock(fd, partial)
        if not trusted and not _is_ours(fd):
            raise OutputError(
                "a file that airgap did not begin is in the way",
                where=str(partial),
                hint="move it, or choose another place with -o",
            )
    except BaseException:
        os.close(fd)
        raise
    return fd


def reopen_partial(path: Path, size: int | None, *, trusted: bool = False) -> int | None:
    """Open and lock a partial file of an earlier run, ``None`` where none of up to ``size`` bytes is there.

    A run that was killed between giving the file its name and forgetting its journal left it under its final name.
    """
    partial = partial_of(path)
    if not os.path.lexists(partial) and path.is_file() and not path.is_symlink():
        with writing(path):
            if size is not None and path.stat().st_size != size:
                return None
            os.rename(path, partial)
    if not os.path.lexists(partial):
        return None
    fd = begin_partial(path, trusted=trusted)
    if size is not None and os.fstat(fd).st_size > size:
        os.close(fd)
        return None
    return fd


def _is_ours(fd: int) -> bool:
    """Whether what lies under the partial's name is nothing, or a bundle that was begun: its first name, a frame of
    it, or zeros."""
    begin = os.pread(fd, 512, 0)
    return begin.startswith((b"oci-layout\0", b"\x28\xb5\x2f\xfd")) or not any(begin)


def reserve(fd: int, size: int, path: Path) -> bool:
    """Reserve ``size`` bytes; false where the file system cannot, so that only free space could be compared."""
    free, found = os.fstatvfs(fd), os.fstat(fd)
    available = free.f_bavail * free.f_frsize
    needed = size - found.st_blocks * 512
    # A file system that keeps no count (ramfs, some of networks) says that it has no blocks at all.
    if free.f_blocks and needed > available:
        raise OutputError(
            f"the bundle needs {size:,} bytes and this disk has {available:,} free",
            where=str(path),
            hint="free space, choose another disk with -o, or fewer platforms with --platform",
        )
    failure = _fallocate(fd, size)
    if failure in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
        _check_largest(fd, size)
        return False
    if failure:
        raise OSError(failure, os.strerror(failure))
    return True


def _check_largest(fd: int, size: int) -> None:
    """Raise EFBIG where a file of ``size`` bytes cannot be, without making one: FAT would write all its zeros."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    try:
        os.lseek(fd, size, os.SEEK_SET)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG)) from error
        raise
    if limit != resource.RLIM_INFINITY and size > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def _lock(fd: int, path: Path) -> None:
    """Be the only one who writes ``path``; :class:`OutputError` if another is, or has just been."""
    hint = "wait until it has ended, or choose another place with -o"
    with writing(path):
        try:
            lock(fd)
        except FileLocked as error:
            raise OutputError("another airgap is writing this bundle", where=str(path), hint=hint) from error
        same = is_same_file(fd, path)
    # Between our opening and locking it, another may have given this very file its final name.
    if not same:
        raise OutputError("another airgap has just written this bundle", where=str(path), hint=hint)


def _fallocate(fd: int, size: int) -> int:
    """``fallocate(2)`` itself; ``posix_fallocate`` would write zeros where a file system lacks it. An errno, or 0."""
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except AttributeError:
        return errno.ENOSYS
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return 0 if function(fd, 0, 0, size) == 0 else ctypes.get_errno()

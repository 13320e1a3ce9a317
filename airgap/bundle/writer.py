# SPDX-License-Identifier: Apache-2.0
"""A bundle being made: a store whose blobs are written straight to their own places, by several threads.

While it grows it is ``NAME.partial``; ``finish`` syncs and renames it, and until then no file of that name
appears. Each byte is written once: padding and gaps are the file system's own zeros.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import threading
from pathlib import Path

from airgap.bundle.format import END, Layout, header
from airgap.errors import AirgapError, ContentError, ContentMissing, NotFound, OutputError
from airgap.oci import Descriptor
from airgap.store.base import FileRange, Opener, Reader, drain
from airgap.store.layout import sync_folder, write_at


class BundleWriter:
    """Make with :meth:`create`, fill by ``push``, end with :meth:`finish` or :meth:`discard`."""

    def __init__(self, path: Path, fd: int, layout: Layout, *, ordered: bool) -> None:
        self.path = path
        #: Whether this file system makes writes out of order dear, so that one worker should write in order.
        self.ordered = ordered
        self._partial = partial_of(path)
        self._fd = fd
        self._layout = layout
        self._done: set[str] = set()
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}

    @classmethod
    def create(cls, path: str | os.PathLike[str], layout: Layout) -> BundleWriter:
        """Reserve the space and write the head. Raises :class:`OutputError` when the folder cannot be written,
        another airgap is writing the same bundle, or there is too little space."""
        target = Path(path)
        partial = partial_of(target)
        if target.is_dir():
            raise OutputError("this is a folder", where=str(target), hint="name a file with -o")
        try:
            fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            hint = "choose another place with -o"
            raise OutputError(f"cannot write here: {error.strerror}", where=str(partial), hint=hint) from error
        try:
            _lock(fd, partial)
            if not _is_ours(fd):
                raise OutputError(
                    "a file that airgap did not begin is in the way",
                    where=str(partial),
                    hint="move it, or choose another place with -o",
                )
        except BaseException:
            os.close(fd)
            raise
        try:
            os.ftruncate(fd, 0)
            ordered = not _reserve(fd, layout.total, target)
            writer = cls(target, fd, layout, ordered=ordered)
            for member, content in layout.head:
                block = header(member.name, member.size, directory=member.directory)
                write_at(fd, memoryview(block + content), member.offset)
            return writer
        except BaseException as error:
            # Before the lock is given up: what then has this name is another's.
            with contextlib.suppress(OSError):
                partial.unlink()
            os.close(fd)
            if isinstance(error, OSError):
                raise _translate(error, target) from error
            raise

    def resolve(self, name: str) -> Descriptor:
        for blob in self._layout.blobs:
            if blob.digest == name:
                return blob
        raise NotFound(f"{name} is not in this bundle", where=str(self.path))

    def exists(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self._done

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        if descriptor.digest not in self._done:
            raise ContentMissing(f"{descriptor.digest} is not written yet", where=str(self.path))
        place = self._layout.places[descriptor.digest]
        return FileRange(self._fd, place.data + offset, place.size - offset, where=str(self.path))

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        place = self._layout.places.get(descriptor.digest)
        if place is None:
            raise ContentMissing(f"{descriptor.digest} has no place in this bundle", where=str(self.path))
        if place.size != descriptor.size:
            raise ContentError(
                f"{descriptor.digest} has {descriptor.size} bytes, its place in this bundle {place.size}",
                where=str(self.path),
            )
        with self._lock:
            busy = self._busy.setdefault(descriptor.digest, threading.Lock())
        with busy:
            if descriptor.digest in self._done:
                return
            reader = opener(0)
            try:
                drain(descriptor, reader, lambda piece, at: write_at(self._fd, piece, place.data + at))
                write_at(self._fd, memoryview(header(place.name, place.size)), place.offset)
            except OSError as error:
                raise _translate(error, self.path) from error
            finally:
                reader.close()
            self._done.add(descriptor.digest)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Names stand in ``index.json`` already; here only that the content is there is checked."""
        if descriptor.digest not in self._done:
            raise ContentMissing(f"{descriptor.digest} is not written yet", where=str(self.path))

    def finish(self) -> None:
        """Everything is there: make it last, and give it its name."""
        missing = [blob.digest for blob in self._layout.blobs if blob.digest not in self._done]
        if missing:
            raise AirgapError(f"{len(missing)} blobs were never written, the first is {missing[0]}")
        try:
            write_at(self._fd, memoryview(END), self._layout.size)
            os.fsync(self._fd)
            os.rename(self._partial, self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise _translate(error, self.path) from error
        self._close()

    def discard(self) -> None:
        """Leave nothing behind; after :meth:`finish` this does nothing."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._partial.unlink()
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


def _is_ours(fd: int) -> bool:
    """Whether what lies under the partial's name is nothing, or a bundle that was begun: its first name, or zeros."""
    begin = os.pread(fd, 512, 0)
    return begin.startswith(b"oci-layout\0") or not any(begin)


def partial_of(path: Path) -> Path:
    """The name of a bundle while it is being made."""
    return path.with_name(f"{path.name}.partial")


def _reserve(fd: int, size: int, path: Path) -> bool:
    """Reserve ``size`` bytes; false where the file system cannot, so that only free space could be compared."""
    free = os.fstatvfs(fd)
    available = free.f_bavail * free.f_frsize
    # A file system that keeps no count (ramfs, some of networks) says that it has no blocks at all.
    if free.f_blocks and size > available:
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
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, there = os.fstat(fd), os.lstat(path)
    except OSError as error:
        raise OutputError("another airgap is writing this bundle", where=str(path)) from error
    # Between our opening and locking it, another may have given this very file its final name.
    if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
        raise OutputError("another airgap has just written this bundle", where=str(path))


def _fallocate(fd: int, size: int) -> int:
    """``fallocate(2)`` itself; ``posix_fallocate`` would write zeros where a file system lacks it. An errno, or 0."""
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except AttributeError:
        return errno.ENOSYS
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return 0 if function(fd, 0, 0, size) == 0 else ctypes.get_errno()


def _translate(error: OSError, path: Path) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, hint = "the disk is full", "free space, or choose another disk with -o"
    elif error.errno == errno.EFBIG:
        what = "this file system cannot hold a file of this size"
        hint = "format the medium with exFAT, ext4 or NTFS, or choose fewer platforms with --platform"
    else:
        what, hint = f"cannot write: {error.strerror}", "choose another place with -o"
    return OutputError(what, where=str(path), hint=hint)

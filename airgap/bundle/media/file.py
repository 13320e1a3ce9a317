# SPDX-License-Identifier: Apache-2.0
"""A tar in one file. It is written as ``NAME.partial``, whose disk space is reserved before the first byte."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.base import CUT_SHORT_HINT
from airgap.bundle.media.zstd import MAGIC
from airgap.durable import FileLocked, is_same_file, lock, publish, require_file, write_at, writing
from airgap.errors import AirgapError, BundleError, OutputError
from airgap.i18n import tr
from airgap.store.protocols import Reader
from airgap.store.readers import FileRange, translate_read_errors
from airgap.system import fallocate, read_at, sync_data
from airgap.trust.age_header import MAGIC as AGE_MAGIC


class BlobRange(FileRange):
    """The bytes of one blob in a bundle's file."""

    def cut_short(self) -> AirgapError:
        """Return the error for a file that ends inside the blob."""
        return BundleError(
            tr("cut short: {length:,} bytes are missing", length=self.length), where=self.where, hint=CUT_SHORT_HINT
        )


def open_regular_file(path: str | os.PathLike[str], *, follow: bool = True) -> tuple[int, int]:
    """Open a file and return its file descriptor and size. Without ``follow`` the path may be no link.

    Raises :class:`airgap.errors.UsageError` for a missing file, :class:`BundleError` for anything but a regular file.
    """
    require_file(path)
    # O_NONBLOCK: opening a named pipe would wait for a writer.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    with translate_read_errors(str(path)):
        try:
            fd = os.open(path, flags)
        except OSError as error:
            if error.errno != errno.ELOOP or follow:
                raise
            raise BundleError(
                tr("this volume is a link, and only a file that you name is read through one"),
                where=str(path),
                hint=tr("copy it there, or name all volumes"),
            ) from None
        status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        what = tr("a folder") if stat.S_ISDIR(status.st_mode) else tr("no regular file")
        hint = tr("give the .tar that airgap export wrote, or - to read standard input")
        raise BundleError(tr("this is {what}, and a bundle is a file", what=what), hint=hint)
    return fd, status.st_size


class FileMedium:
    """A tar in one file. Owns the file descriptor ``fd``; ``size`` is the file's size."""

    ordered = False

    def __init__(self, where: str, fd: int, size: int) -> None:
        self.where = where
        self.size: int | None = size
        self._fd = fd

    def pread(self, count: int, offset: int) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the file ends."""
        with translate_read_errors(self.where, offset):
            return os.pread(self._fd, count, offset)

    def open_range(self, offset: int, length: int) -> Reader:
        """Open a reader that can also hand its file range to ``sendfile``."""
        return BlobRange(self._fd, offset, length, where=self.where)

    def expect_size(self, total: int) -> None:
        """Raise :class:`BundleError` if the file has fewer than ``total`` bytes."""
        if self.size is not None and self.size < total:
            raise BundleError(
                tr("cut short: it should have {total:,} bytes and has {size:,}", total=total, size=self.size),
                hint=CUT_SHORT_HINT,
            )

    def files_at(self, offset: int, length: int) -> Sequence[str]:
        """Return the name of the one file."""
        return (self.where,)

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class FileDraft:
    """An unfinished tar in one file. Made by :meth:`begin` or :meth:`resume`; methods as in :class:`Draft`.

    ``size`` is the size of the finished tar. ``ordered`` is true on file systems where writing out of order is slow.
    """

    def __init__(self, path: Path, fd: int, size: int, *, ordered: bool) -> None:
        self.path = path
        self.ordered = ordered
        self._partial = partial_path(path)
        self._fd = fd
        self._size = size

    @classmethod
    def begin(cls, path: Path, size: int) -> FileDraft:
        """Create an empty partial file and reserve its space.

        Raises :class:`OutputError` where the folder cannot be written, another airgap writes the same bundle, or the
        disk has too little space.
        """
        fd = create_partial(path)
        try:
            with writing(path):
                os.ftruncate(fd, 0)
                ordered = not reserve(fd, size, path)
        except BaseException:
            # Deleted before the lock is released: afterwards the name may belong to another process.
            with contextlib.suppress(OSError):
                partial_path(path).unlink()
            os.close(fd)
            raise
        return cls(path, fd, size, ordered=ordered)

    @classmethod
    def resume(cls, path: Path, size: int) -> FileDraft | None:
        """Reopen the partial file of an earlier run, or return ``None`` where there is none of this size."""
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
        """Write ``piece`` at ``offset``."""
        with writing(self.path):
            write_at(self._fd, piece, offset)

    def read(self, count: int, offset: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``."""
        with writing(self.path):
            return os.pread(self._fd, count, offset)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill ``buffer`` from ``offset``. Raises :class:`OutputError` where the file has fewer bytes."""
        with writing(self.path):
            while buffer:
                count = read_at(self._fd, buffer, offset)
                if count == 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                buffer, offset = buffer[count:], offset + count

    def rewind(self, offset: int) -> int:
        """Return ``offset``: a file can be overwritten anywhere."""
        return offset

    def sync(self) -> None:
        """Make everything that was written survive a power cut."""
        with writing(self.path):
            sync_data(self._fd)

    def finish(self) -> None:
        """Sync the file and rename it to its final name."""
        with writing(self.path):
            os.ftruncate(self._fd, self._size)
            publish(self._fd, self._partial, self.path)
        self.keep()

    def keep(self) -> None:
        """Close the file and leave it for the next run."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def discard(self) -> None:
        """Delete and close the file."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._partial.unlink()
            self.keep()


def partial_path(path: Path) -> Path:
    """Return the name that the file ``path`` has while it is being written."""
    return path.with_name(f"{path.name}.partial")


def create_partial(path: Path, *, trusted: bool = False) -> int:
    """Open and lock the partial file of ``path``, and create it where it is missing.

    With ``trusted`` an existing file is known to be airgap's; otherwise its first bytes must show that. Raises
    :class:`OutputError`.
    """
    partial = partial_path(path)
    if path.is_dir():
        raise OutputError(tr("this is a folder"), where=str(path), hint=tr("name a file with -o"))
    try:
        fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        hint = tr("choose another place with -o")
        raise OutputError(
            tr("cannot write here: {strerror}", strerror=error.strerror), where=str(partial), hint=hint
        ) from error
    try:
        _lock(fd, partial)
        if not trusted and not _was_begun_by_airgap(fd):
            raise OutputError(
                tr("a file that airgap did not begin is in the way"),
                where=str(partial),
                hint=tr("move it, or choose another place with -o"),
            )
    except BaseException:
        os.close(fd)
        raise
    return fd


def reopen_partial(path: Path, size: int | None, *, trusted: bool = False) -> int | None:
    """Open and lock the partial file of an earlier run; return ``None`` where none of up to ``size`` bytes exists.

    A run that was killed after it renamed the file and before it deleted its journal left the file under its final
    name. That file is renamed back. Raises :class:`OutputError`.
    """
    partial = partial_path(path)
    if not os.path.lexists(partial) and path.is_file() and not path.is_symlink():
        with writing(path):
            if size is not None and path.stat().st_size != size:
                return None
            os.rename(path, partial)
    if not os.path.lexists(partial):
        return None
    fd = create_partial(path, trusted=trusted)
    if size is not None and os.fstat(fd).st_size > size:
        os.close(fd)
        return None
    return fd


def _was_begun_by_airgap(fd: int) -> bool:
    """Whether the file is empty or begins as a bundle: with its first member, a zstd frame, age's header, or zeros."""
    start = os.pread(fd, 512, 0)
    return start.startswith((b"oci-layout\0", MAGIC, AGE_MAGIC)) or not any(start)


def reserve(fd: int, size: int, path: Path) -> bool:
    """Reserve ``size`` bytes of disk space for the file.

    Returns false where the file system cannot reserve space; then only the free space was checked. Raises
    :class:`OutputError` for too little space, OSError for other failures.
    """
    volume, file = os.fstatvfs(fd), os.fstat(fd)
    available = volume.f_bavail * volume.f_frsize
    needed = size - file.st_blocks * 512
    # File systems that do not count blocks (ramfs, some network file systems) report 0 of them.
    if volume.f_blocks and needed > available:
        raise OutputError(
            tr("the bundle needs {size:,} bytes and this disk has {available:,} free", size=size, available=available),
            where=str(path),
            hint=tr("free space, choose another disk with -o, or fewer platforms with --platform"),
        )
    failure = fallocate(fd, size)
    if failure in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
        check_largest(fd, size)
        return False
    if failure:
        raise OSError(failure, os.strerror(failure))
    return True


def check_largest(fd: int, size: int) -> None:
    """Raise EFBIG if the file cannot have ``size`` bytes.

    Seeking tells without extending the file: extending a file on FAT writes all its zeros.
    """
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
    """Lock ``path`` for writing. Raises :class:`OutputError` if another process writes it, or has just finished."""
    hint = tr("wait until it has ended, or choose another place with -o")
    with writing(path):
        try:
            lock(fd)
        except FileLocked as error:
            raise OutputError(tr("another airgap is writing this bundle"), where=str(path), hint=hint) from error
        same = is_same_file(fd, path)
    # Another process may have renamed this file to its final name between our open and our lock.
    if not same:
        raise OutputError(tr("another airgap has just written this bundle"), where=str(path), hint=hint)

# SPDX-License-Identifier: Apache-2.0
"""System calls that Linux has and other systems have not, or not in the same form, each with what replaces it there.

``os`` lacks a function that its C library lacked, so every one is looked up when it is called.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable

#: A flag of ``send``: a small packet waits for what is sent next. 0 where there is no such flag.
MSG_MORE: int = getattr(socket, "MSG_MORE", 0)


def sync_file(fd: int) -> None:
    """Make the content of a file and its metadata survive a power cut. Raises OSError.

    On macOS ``fsync`` leaves the content in the cache of the drive; there the command F_FULLFSYNC empties it
    (fcntl(2)). File systems that do not know the command are synced by ``fsync``.
    """
    import fcntl

    command = getattr(fcntl, "F_FULLFSYNC", None)
    if command is not None:
        try:
            fcntl.fcntl(fd, command)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
                raise
        else:
            return
    os.fsync(fd)


def sync_data(fd: int) -> None:
    """Make the content of a file survive a power cut, and its size if that has changed. Raises OSError."""
    fdatasync: Callable[[int], None] | None = getattr(os, "fdatasync", None)
    if fdatasync is None:
        sync_file(fd)
    else:
        fdatasync(fd)


def read_at(fd: int, buffer: memoryview, offset: int) -> int:
    """Read from ``offset`` into ``buffer``; return the number of bytes, 0 at the end. Raises OSError."""
    preadv: Callable[[int, list[memoryview], int], int] | None = getattr(os, "preadv", None)
    if preadv is not None:
        return preadv(fd, [buffer], offset)
    piece = os.pread(fd, len(buffer), offset)
    buffer[: len(piece)] = piece
    return len(piece)


def sendfile() -> Callable[[int, int, int, int], int] | None:
    """Return ``os.sendfile`` of Linux: socket, file, offset and count in, bytes sent out. ``None`` elsewhere: other
    systems have another function of that name, whose result is not certain on a socket with a time-out."""
    return getattr(os, "sendfile", None) if sys.platform == "linux" else None


def fallocate(fd: int, size: int) -> int:
    """Reserve disk space by ``fallocate(2)``; return 0 or an errno, ENOSYS where there is no such call.

    Not ``os.posix_fallocate``, which writes zeros where the file system cannot reserve space.
    """
    try:
        import ctypes

        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (ImportError, AttributeError, OSError):
        return errno.ENOSYS
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return 0 if function(fd, 0, 0, size) == 0 else ctypes.get_errno()

# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.parts.other_system COMMAND…``: airgap where nothing is that only Linux has.

It removes from the standard library what macOS lacks before anything of airgap is imported, and lets the others answer
as they do there. It is no macOS: file systems, signals and sockets are still Linux's.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import select
import signal
import socket
import sys
from typing import Any

#: What macOS's Python has not.
MISSING = {
    os: (
        "copy_file_range", "eventfd", "fdatasync", "getrandom", "memfd_create", "pidfd_open", "pipe2",
        "posix_fadvise", "posix_fallocate", "preadv", "pwritev", "sched_getaffinity", "sendfile", "splice", "statx",
        "O_DIRECT", "O_NOATIME", "O_TMPFILE", "O_PATH",
    ),
    select: ("epoll",),
    signal: ("sigtimedwait", "sigwaitinfo", "pidfd_send_signal"),
    socket: ("MSG_MORE", "SO_BINDTODEVICE", "TCP_CORK", "TCP_USER_TIMEOUT", "AF_NETLINK"),
}  # fmt: skip
#: The number of a command that Linux answers with EINVAL, as macOS does on some file systems.
_UNKNOWN_COMMAND = 51


def refuse_proc(open_: Any) -> Any:
    """``open_`` in a system without ``/proc`` and ``/sys``."""

    def opened(file: Any, *arguments: Any, **more: Any) -> Any:
        if isinstance(file, str | bytes | os.PathLike) and os.fsdecode(file).startswith(("/proc/", "/sys/")):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(file))
        return open_(file, *arguments, **more)

    return opened


def no_ioctl(*_: Any) -> int:
    """The queue of a socket is asked in another way there."""
    raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))


def become() -> None:
    """Change this process."""
    for module, names in MISSING.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in [
        name for name in dir(fcntl) if name.startswith(("F_OFD", "F_SEAL", "F_ADD", "F_GET_SEALS", "F_SETPIPE"))
    ]:
        delattr(fcntl, name)
    setattr(fcntl, "F_FULLFSYNC", _UNKNOWN_COMMAND)  # noqa: B010 - Linux has no such name
    setattr(fcntl, "ioctl", no_ioctl)  # noqa: B010
    os.open = refuse_proc(os.open)
    builtins.open = io.open = refuse_proc(builtins.open)
    sys.modules["ctypes"] = None  # type: ignore[assignment] # so that no function of the C library is found by name


if __name__ == "__main__":
    become()
    from airgap.cli import main

    main()

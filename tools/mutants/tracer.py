# SPDX-License-Identifier: Apache-2.0
"""Notes which functions of airgap each test runs, in its own process and in all that it starts.

A copy of the tree has this file in its root as ``sitecustomize.py``, so every Python with the copy on its path loads
it. Calls alone are traced, which costs little. Each function is noted at its first call, so that the notes of a process
that is killed are there too.
"""

import contextlib
import os
import sys
import threading
from types import FrameType

ROOT = os.path.dirname(os.path.abspath(__file__))
PREFIX = os.path.join(ROOT, "airgap", "")
FOLDER = os.path.join(ROOT, ".traced")
CURRENT = os.path.join(FOLDER, "current")

_seen: set[int] = set()
_fd = -1


def switch(name: str) -> None:
    """From now on, what is called is noted in the file ``name``, by processes that are started or forked too."""
    with open(f"{CURRENT}.new", "w") as file:
        file.write(name)
    os.replace(f"{CURRENT}.new", CURRENT)
    _join()


def _join() -> None:
    global _fd
    with contextlib.suppress(FileNotFoundError), open(CURRENT) as file:
        if _fd >= 0:
            os.close(_fd)
        _fd = os.open(os.path.join(FOLDER, file.read()), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        _seen.clear()


def _trace(frame: FrameType, event: str, argument: object) -> None:
    code = frame.f_code
    if id(code) not in _seen and code.co_filename.startswith(PREFIX):
        _seen.add(id(code))
        with contextlib.suppress(OSError):  # a test has closed all descriptors, or filled the disk
            os.write(_fd, f"{code.co_filename[len(ROOT) + 1 :]}:{code.co_firstlineno}\n".encode())


if os.path.isdir(FOLDER):
    _join()
    os.register_at_fork(after_in_child=_join)
    threading.settrace(_trace)
    sys.settrace(_trace)

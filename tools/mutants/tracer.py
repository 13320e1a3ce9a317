# SPDX-License-Identifier: Apache-2.0
"""Notes which lines of airgap each test runs, in its own process and in all that it starts.

A copy of the tree has this file in its root as ``sitecustomize.py``, so every Python with the copy on its path loads
it. A line is noted when it runs for the first time, so that the notes of a process that is killed are there too. Of a
function that runs often, all lines are noted after a while, and it is traced no longer: that keeps the tests quick.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any

ROOT = os.path.dirname(os.path.abspath(__file__))
PREFIX = os.path.join(ROOT, "airgap", "")
FOLDER = os.path.join(ROOT, ".traced")
CURRENT = os.path.join(FOLDER, "current")

#: Lines of a function that are traced in a test at most.
MOST = 2000

_traced: dict[int, _Function] = {}
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
        _traced.clear()


def _note(file: str, line: int) -> None:
    with contextlib.suppress(OSError):  # a test has closed all descriptors, or filled the disk
        os.write(_fd, f"{file}:{line}\n".encode())


class _Function:
    def __init__(self, code: CodeType) -> None:
        self._code = code
        self._file = code.co_filename[len(ROOT) + 1 :]
        self._lines: set[int] = set()
        self._left = MOST

    def call(self) -> Any:
        return self._event if self._left > 0 else None

    def _event(self, frame: FrameType, event: str, argument: object) -> object:
        line = frame.f_lineno
        if line not in self._lines:
            self._lines.add(line)
            _note(self._file, line)
        self._left -= 1
        if self._left <= 0:
            frame.f_trace_lines = False
            for _, _, other in self._code.co_lines():
                if other is not None:
                    _note(self._file, other)
        return self._event


def _trace(frame: FrameType, event: str, argument: object) -> Any:
    code = frame.f_code
    function = _traced.get(id(code))
    if function is None:
        if not code.co_filename.startswith(PREFIX):
            return None
        function = _traced[id(code)] = _Function(code)
    return function.call()


if os.path.isdir(FOLDER):
    _join()
    os.register_at_fork(after_in_child=_join)
    threading.settrace(_trace)
    sys.settrace(_trace)

# SPDX-License-Identifier: Apache-2.0
"""Notes which functions of airgap each test runs, in its own process and in all that it starts.

PYTEST_DONT_REWRITE: it is loaded before pytest is.

A copy of the tree has this file in its root as ``sitecustomize.py``, so every Python that has the copy on its path
loads it. Calls alone are traced, which costs little. A line of a test's file is written when a function is called for
the first time, so that a process that is killed has written them too. It is a plugin of pytest as well, which names the
test that runs.
"""

import contextlib
import json
import os
import sys
import threading

ROOT = os.path.dirname(os.path.abspath(__file__))
PREFIX = os.path.join(ROOT, "airgap", "")
FOLDER = os.path.join(ROOT, ".traced")
CURRENT = os.path.join(FOLDER, "current")

_seen: set = set()
_place = ""
_fd = -1
_forked = False


def _begin(name: str) -> None:
    global _place, _fd
    if _fd >= 0:
        os.close(_fd)
    _place, _fd = name, os.open(os.path.join(FOLDER, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    _seen.clear()


def _trace(frame, event, argument):
    code = frame.f_code
    if code not in _seen:
        _seen.add(code)
        if _fd >= 0 and code.co_filename.startswith(PREFIX):
            _write(f"{code.co_filename[len(ROOT) + 1 :]}:{code.co_firstlineno}\n")


def _write(line: str) -> None:
    with contextlib.suppress(OSError):  # a test has closed all descriptors, or filled the disk
        os.write(_fd, line.encode())


def _join_current() -> None:
    """A process that was started or forked belongs to the test that runs now."""
    with contextlib.suppress(FileNotFoundError), open(CURRENT) as file:
        _begin(file.read())


def pytest_runtest_logstart(nodeid, location):
    name = str(len(os.listdir(FOLDER)))
    _begin(name)
    with open(f"{CURRENT}.new", "w") as file:
        file.write(name)
    os.replace(f"{CURRENT}.new", CURRENT)
    pytest_runtest_logstart.last = {"test": nodeid, "file": name, "seconds": 0.0, "outcome": "passed"}


def pytest_runtest_logreport(report):
    entry = pytest_runtest_logstart.last
    entry["seconds"] += report.duration
    if report.outcome != "passed":
        entry["outcome"] = report.outcome


def pytest_runtest_logfinish(nodeid, location):
    with open(os.path.join(FOLDER, "tests.jsonl"), "a") as file:
        file.write(json.dumps(pytest_runtest_logstart.last) + "\n")


if os.path.isdir(FOLDER):
    _join_current()
    os.register_at_fork(after_in_child=_join_current)
    threading.settrace(_trace)
    sys.settrace(_trace)

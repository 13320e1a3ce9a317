# SPDX-License-Identifier: Apache-2.0
"""Waiting for something that gives no event: a condition is asked again and again until it is true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, seconds: float = 60, every: float = 0.01) -> T:
    """Ask ``condition`` every few milliseconds until its answer is true, and return that answer.

    Raises :class:`AssertionError` when it has not been true after ``seconds``: a limit that only a failure reaches,
    however busy the machine is.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not true after {seconds} s; the last answer was {answer!r}"
        time.sleep(every)


def at_rest(pid: int, threads: Callable[[], Iterable[int]] | None = None) -> Callable[[], bool]:
    """A condition for :func:`wait_until`: everything that has reached the process has been dealt with.

    It is true when each thread sleeps and none has run since the condition was last asked. ``threads`` names the
    threads that count (their native IDs); without it all of the process do.
    """
    folder = Path(f"/proc/{pid}/task")
    before: dict[str, str] | None = None

    def asked() -> bool:
        nonlocal before
        names = [path.name for path in folder.iterdir()] if threads is None else [str(number) for number in threads()]
        now = {name: _switches(folder / name / "status") for name in names}
        rested = now == before and "" not in now.values()
        before = now
        return rested

    return asked


def _switches(status: Path) -> str:
    """How often a thread has begun and ceased to run so far; empty when it runs now, or has ended."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return ""
    if not any(line.startswith("State:\tS") for line in lines):
        return ""
    return " ".join(line for line in lines if "ctxt_switches" in line)

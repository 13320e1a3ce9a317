# SPDX-License-Identifier: Apache-2.0
"""How much work something is, counted in steps: the same number on every run, however busy the machine is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

#: Methods that read or copy the whole of their text; one that may stop early costs one step.
_WHOLE = frozenset({"casefold", "decode", "encode", "lower", "replace", "split", "splitlines", "translate", "upper"})
#: So many characters of a text that is read as a whole cost as much as one call.
_CHARACTERS = 100


def steps(work: Callable[[], object], *, limit: int = 1_000_000_000) -> int:
    """Count the calls of functions that ``work`` makes, of those written in C too, each resumption of a generator, and
    what methods read that always read a whole text. Threads that it starts are counted with it.

    Raises :class:`AssertionError` as soon as ``limit`` is exceeded, so that work which grows without bound ends.
    """
    count = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        if event == "call":
            count += 1
        elif event == "c_call":
            count += 1
            if argument.__name__ in _WHOLE and isinstance(argument.__self__, (str, bytes, bytearray)):
                count += len(argument.__self__) // _CHARACTERS
        assert count <= limit, f"more than {limit} steps"

    before = sys.getprofile()
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
        threading.setprofile(before)
    return count

# SPDX-License-Identifier: Apache-2.0
"""Waiting for something that only looking can tell: with a deadline, and no longer than needed."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Return once ``condition()`` is true; fail with ``what`` if it is not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)

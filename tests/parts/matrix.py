# SPDX-License-Identifier: Apache-2.0
"""A matrix of parameters whose whole is a long test, and some of which already show what each of its axes does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def long_unless(short: Callable[..., bool], cases: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Every case for ``pytest.mark.parametrize``; the ones for which ``short(*case)`` is false are long tests."""
    return [pytest.param(*case, marks=() if short(*case) else pytest.mark.long) for case in cases]

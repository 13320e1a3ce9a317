# SPDX-License-Identifier: Apache-2.0
"""When to try again, as a pure decision with the clock and the sleep passed in.

Only what can heal is tried again (:class:`~airgap.registry.http.errors.Transient`). The delay doubles with
each attempt and is jittered over its upper half, so that many workers do not return at once;
``Retry-After`` is obeyed in both its forms (RFC 9110, 10.2.3: seconds or a date).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

from airgap.events import Retrying, Sink, ignore
from airgap.records import Record, field
from airgap.registry.http.errors import Transient

T = TypeVar("T")


class RetryPolicy(Record):
    """``attempts`` counts the first try too; ``base``, ``cap`` and ``patience`` are seconds."""

    attempts: int = 5
    base: float = 0.5
    cap: float = 30.0
    #: The longest Retry-After that is waited for; a registry that asks for more is given up.
    patience: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    emit: Sink = field(default=ignore)

    def delay(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds to wait after failed ``attempt`` (from 1), or ``None`` to give up."""
        if attempt >= self.attempts:
            return None
        if retry_after is not None:
            return max(retry_after, 0.0) if retry_after <= self.patience else None
        span = min(self.cap, self.base * 2.0 ** (attempt - 1))
        return float(span / 2 + span / 2 * self.random())

    def run(self, what: str, action: Callable[[], T]) -> T:
        """Do ``action`` until it succeeds, fails for good, or the attempts are used up."""
        attempt = 1
        while True:
            try:
                return action()
            except Transient as error:
                self.pause(what, attempt, error)
                attempt += 1

    def pause(self, what: str, attempt: int, error: Transient) -> None:
        """Wait before the next attempt, or raise ``error`` if there is to be none."""
        delay = None if error.given_up else self.delay(attempt, error.retry_after)
        if delay is None:
            error.given_up = True  # whoever tried a larger step of which this was one does not begin it again
            raise error
        self.emit(Retrying(what, error.what, attempt, round(delay, 3)))
        self.sleep(delay)


def retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Read a ``Retry-After`` header: seconds from now, or ``None`` where it is absent or unreadable."""
    if not value:
        return None
    value = value.strip()
    if value.isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        # A date without a zone is one of UTC (RFC 9110, 5.6.7 knows no other).
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - now())
    except (ValueError, TypeError, OverflowError):
        return None

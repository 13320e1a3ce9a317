# SPDX-License-Identifier: Apache-2.0
"""Retries: whether and when a failed request is sent again.

Only a :class:`~airgap.registry.http.errors.Transient` error is retried. The delay doubles with each attempt. Its upper
half is random, so that the workers do not all return at once. A ``Retry-After`` header takes precedence, in both its
forms (RFC 9110, 10.2.3: seconds or a date).
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

from airgap import limits
from airgap.events import Retrying, Sink, ignore
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.registry.http.errors import NoAnswer, TooSlow, Transient

T = TypeVar("T")

#: Attempts at a registry that is too slow, and slow answers in a row after which it is asked no more.
_MAX_SLOW_ATTEMPTS = 2


class RetryPolicy(Record):
    """``attempts`` includes the first one. ``base`` and ``cap`` are the first and longest delay in seconds."""

    attempts: int = 5
    base: float = 0.5
    cap: float = 30.0
    #: The longest accepted Retry-After in seconds; a longer one is not waited for.
    patience: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    emit: Sink = field(default=ignore)

    def delay(self, attempt: int, retry_after: float | None) -> float | None:
        """Return the seconds to wait after failed attempt number ``attempt``, or ``None`` to give up."""
        if attempt >= self.attempts:
            return None
        if retry_after is not None:
            return max(retry_after, 0.0) if retry_after <= self.patience else None
        span = min(self.cap, self.base * 2.0 ** (attempt - 1))
        return float(span / 2 + span / 2 * self.random())

    def run(self, what: str, action: Callable[[], T]) -> T:
        """Call ``action`` until it succeeds, fails with another error, or all attempts are used."""
        attempt = 1
        while True:
            try:
                return action()
            except Transient as error:
                self.pause(what, attempt, error)
                attempt += 1

    def pause(self, what: str, attempt: int, error: Transient) -> None:
        """Wait before the next attempt; raise ``error`` if there is none left."""
        is_too_slow = isinstance(error, TooSlow) and attempt >= _MAX_SLOW_ATTEMPTS
        delay = None if error.given_up or is_too_slow else self.delay(attempt, error.retry_after)
        if delay is None:
            error.given_up = True  # an enclosing operation must not be retried either
            raise error
        self.emit(Retrying(what, error.what, attempt, round(delay, 3)))
        self.sleep(delay)


class SlowCount:
    """Gives a registry up that was too slow twice in a row, so that a command does not wait for each request anew."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._slow_answers = 0

    @property
    def is_given_up(self) -> bool:
        """Whether the registry is asked no more."""
        return self._slow_answers >= _MAX_SLOW_ATTEMPTS

    def check(self) -> None:
        """Raise :class:`TooSlow` if the registry was given up."""
        if self.is_given_up:
            error = TooSlow(
                tr("the registry was too slow twice, and is asked no more"),
                where=self._where,
                hint=limits.hint("answer-time"),
            )
            error.given_up = True
            raise error

    @contextlib.contextmanager
    def watch(self, method: str = "GET") -> Iterator[None]:
        """Count the answer of one request; raise :class:`TooSlow` if the registry was given up.

        An answer to HEAD says nothing of one with a body.
        """
        self.check()
        try:
            yield
        except (TooSlow, NoAnswer):
            self._slow_answers += 1
            raise
        if method != "HEAD":
            self._slow_answers = 0


def parse_retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Parse a ``Retry-After`` header: seconds from now, or ``None`` if it is missing or invalid."""
    if not value:
        return None
    value = value.strip()
    if value.isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        # HTTP dates are in UTC (RFC 9110, 5.6.7), also if the zone is missing.
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - now())
    except (ValueError, TypeError, OverflowError):
        return None

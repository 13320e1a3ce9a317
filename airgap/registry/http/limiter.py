# SPDX-License-Identifier: Apache-2.0
"""The number of concurrent requests to one registry. It is not limited until the registry asks for fewer.

A response 429 or 503 halves the number of requests in flight, and no worker sends a request before its ``Retry-After``
has passed. After each round of other responses one more request is allowed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airgap.i18n import tr
from airgap.registry.http.errors import Transient

#: Statuses by which a registry asks for fewer requests.
BUSY = (429, 503)
#: Successful responses for each allowed request before the limit is raised by one.
_RESPONSES_PER_SLOT = 4


class Limiter:
    """Thread-safe. ``patience`` is the longest wait in seconds; ``sleep`` may raise to end a wait early."""

    def __init__(
        self,
        patience: float = 300.0,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience
        self._sleep = sleep
        self._clock = clock
        self._condition = threading.Condition()
        self._in_flight = 0
        #: Concurrent requests allowed; ``None`` for no limit.
        self.limit: int | None = None
        self._in_flight_before_limit = 0
        #: The clock's time before which no request may be sent.
        self._not_before = 0.0
        #: The number of reductions. Several refusals of requests from before a reduction do not reduce again.
        self._reductions = 0
        self._successes = 0

    @contextmanager
    def slot(self) -> Iterator[Callable[[int, float | None], None]]:
        """Wait until a request may be sent, and give ``report(status, retry_after)`` to call with its response.

        ``retry_after`` is in seconds. Raises :class:`Transient` if the registry asks for a wait beyond ``patience``.
        """
        reductions = self._enter()
        try:
            yield lambda status, retry_after: self._report(status, retry_after, reductions)
        finally:
            with self._condition:
                self._in_flight -= 1
                self._condition.notify()

    def _enter(self) -> int:
        waited_until = 0.0
        while True:
            with self._condition:
                delay = self._not_before - self._clock() if self._not_before > waited_until else 0.0
                if delay <= 0:
                    if self.limit is None or self._in_flight < self.limit:
                        self._in_flight += 1
                        return self._reductions
                    self._condition.wait(1.0)
                    continue
                not_before = self._not_before
            if delay > self._patience:
                error = Transient(tr("the registry wants to be left alone for {delay:.0f} s", delay=delay))
                error.retry_after = delay
                raise error
            self._sleep(delay)
            waited_until = not_before

    def _report(self, status: int, retry_after: float | None, reductions: int) -> None:
        with self._condition:
            if status in BUSY:
                if retry_after is not None:
                    self._not_before = max(self._not_before, self._clock() + retry_after)
                if reductions == self._reductions:
                    self._reduce()
            elif self.limit is not None and status < 500:
                self._successes += 1
                if self._successes >= _RESPONSES_PER_SLOT * self.limit:
                    self._raise_limit(self.limit)

    def _reduce(self) -> None:
        self._reductions += 1
        self._successes = 0
        if self.limit is None:
            self._in_flight_before_limit = self._in_flight
        self.limit = max(1, min(self.limit or self._in_flight, self._in_flight) // 2)

    def _raise_limit(self, limit: int) -> None:
        self._successes = 0
        self.limit = limit + 1 if limit < self._in_flight_before_limit else None
        self._condition.notify_all()

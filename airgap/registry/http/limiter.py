# SPDX-License-Identifier: Apache-2.0
"""How many requests one registry gets at once: as many as the workers make, until it says that this is too many.

A 429 or 503 halves what may be in flight, and nobody asks before the ``Retry-After`` that came with it has
passed, whichever worker got it. Each round of answers that are none then lets one more through.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airgap.registry.http.errors import Transient

BUSY = (429, 503)
#: Answers for each request allowed before one more is.
_ROUNDS = 4


class Limiter:
    """Thread-safe. ``sleep`` ends early by raising; ``patience`` is the longest wait in seconds."""

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
        #: ``None``: as many as come.
        self.allowed: int | None = None
        self._before = 0
        self._until = 0.0
        #: Counts reductions, so that one burst of refusals is one reduction.
        self._epoch = 0
        self._good = 0

    @contextmanager
    def turn(self) -> Iterator[Callable[[int, float | None], None]]:
        """Wait for a place; call what is given with the answer's status and Retry-After (seconds)."""
        epoch = self._enter()
        try:
            yield lambda status, after: self._answered(status, after, epoch)
        finally:
            with self._condition:
                self._in_flight -= 1
                self._condition.notify()

    def _enter(self) -> int:
        waited = 0.0
        while True:
            with self._condition:
                left = self._until - self._clock() if self._until > waited else 0.0
                if left <= 0:
                    if self.allowed is None or self._in_flight < self.allowed:
                        self._in_flight += 1
                        return self._epoch
                    self._condition.wait(1.0)
                    continue
                until = self._until
            if left > self._patience:
                error = Transient(f"the registry wants to be left alone for {left:.0f} s")
                error.retry_after = left
                raise error
            self._sleep(left)
            waited = until

    def _answered(self, status: int, after: float | None, epoch: int) -> None:
        with self._condition:
            if status in BUSY:
                if after is not None:
                    self._until = max(self._until, self._clock() + after)
                if epoch == self._epoch:
                    self._epoch += 1
                    self._good = 0
                    if self.allowed is None:
                        self._before = self._in_flight
                    self.allowed = max(1, min(self.allowed or self._in_flight, self._in_flight) // 2)
                return
            if self.allowed is None or status >= 500:
                return
            self._good += 1
            if self._good >= _ROUNDS * self.allowed:
                self._good = 0
                self.allowed += 1
                if self.allowed > self._before:
                    self.allowed = None
                self._condition.notify_all()

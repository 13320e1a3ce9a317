# SPDX-License-Identifier: Apache-2.0
"""A limit of bytes per second that all connections of a run share, for lines that others use too.

Pieces pass in the order in which they arrive, so several blobs share the line evenly. Time that nobody used counts for
a fraction of a second only: after a pause there is no burst.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from airgap.records import Record, field

#: Seconds of unused time that later pieces may use. They make up for waits that end too late.
_CREDIT = 0.25
#: A piece takes this fraction of a second or less, so that no connection falls silent while others have their turns.
_PIECES_PER_SECOND = 16
_MIN_PIECE, _MAX_PIECE = 1024, 1024 * 1024


class RateLimit(Record, frozen=False, eq=False):
    """Lets ``rate`` bytes a second pass. Thread-safe. ``sleep`` may raise to end a wait."""

    rate: int
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    #: When all pieces so far will have passed.
    _free_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def piece(self) -> int:
        """The bytes to send or read at once, at most."""
        return min(max(self.rate // _PIECES_PER_SECOND, _MIN_PIECE), _MAX_PIECE)

    def wait(self, count: int) -> None:
        """Wait until ``count`` bytes may pass, after those of earlier calls."""
        with self._lock:
            now = self.clock()
            begin = max(self._free_at, now - _CREDIT)
            self._free_at = begin + count / self.rate
            delay = self._free_at - now
        if delay > 0:
            self.sleep(delay)

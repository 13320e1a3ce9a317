# SPDX-License-Identifier: Apache-2.0
"""The state of a copy, computed from its events. Only numbers: it prints nothing, and the clock is an argument.

Bytes that need not move (skipped, mounted, or left by an earlier run) are subtracted from the total: they count neither
as progress nor for the rate. Progress never goes back: a transfer that starts again adds nothing until it has passed
the point at which it broke.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from airgap.events import BlobDone, BlobProgress, BlobResumed, BlobStarted, Event, Planned, Retrying
from airgap.records import Record, field

#: Seconds over which the rate is averaged, and the least seconds between two samples.
_RATE_WINDOW = 8.0
_SAMPLE_INTERVAL = 0.25
_DIGEST = re.compile(r"\b\w+:[0-9a-f]{32,}")


class PendingRetry(Record, frozen=False):
    """A request that failed and is sent again at ``until``. ``digest`` is empty if it is not about a blob."""

    what: str
    reason: str
    attempt: int
    until: float
    digest: str


class BlobTransfer(Record, frozen=False):
    """A blob that is being copied.

    ``moved`` of ``size`` bytes have moved, both without what was already there; ``moved`` never decreases.
    ``position`` is where the current attempt is. ``image`` is an image that needs the blob; empty if none is known.
    """

    digest: str
    size: int
    moved: int = 0
    position: int = 0
    image: str = ""

    def add(self, count: int) -> int:
        """Add ``count`` bytes, negative if the transfer goes back. Returns how many of them had not moved before."""
        self.position += count
        before, self.moved = self.moved, max(self.moved, min(self.position, self.size))
        return self.moved - before


class ProgressModel(Record, frozen=False):
    """``moved`` of ``total`` bytes are at their destination. Not thread-safe: the caller holds a lock."""

    clock: Callable[[], float]
    total: int = 0
    moved: int = 0
    transfers: dict[str, BlobTransfer] = field(default_factory=dict)
    _retries: dict[str, PendingRetry] = field(default_factory=dict)
    _ratio: float = 0.0
    #: All bytes that were sent or received, those that were repeated included.
    _transferred: int = 0
    #: (time, ``_transferred``) pairs of the last ``_RATE_WINDOW`` seconds.
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def update(self, event: Event) -> None:
        """Take in one event. ``Planned`` resets everything; events about other things are ignored."""
        if isinstance(event, Planned):
            self.total, self.moved, self._ratio, self._transferred = event.total, 0, 0.0, 0
            self.transfers.clear()
            self._retries.clear()
            self._samples = deque([(self.clock(), 0)])
        elif isinstance(event, BlobStarted):
            self.transfers[event.digest] = BlobTransfer(event.digest, event.size, image=event.image)
        elif isinstance(event, BlobResumed):
            self._transfer(event.digest).size -= event.bytes
            self.total -= event.bytes
        elif isinstance(event, BlobProgress):
            self._add_progress(event)
        elif isinstance(event, BlobDone):
            self._finish_blob(event)
        elif isinstance(event, Retrying):
            match = _DIGEST.search(event.what)
            digest, until = match[0] if match else "", self.clock() + event.delay
            self._retries[event.what] = PendingRetry(event.what, event.reason, event.attempt, until, digest)

    @property
    def ratio(self) -> float:
        """Progress from 0 to 1; never less than it was."""
        self._ratio = max(self._ratio, self.moved / self.total if self.total > 0 else float(not self.transfers))
        return self._ratio

    @property
    def rate(self) -> float:
        """Bytes per second over the last seconds, repeated bytes included."""
        now = self.clock()
        while len(self._samples) > 1 and self._samples[1][0] <= now - _RATE_WINDOW:
            self._samples.popleft()
        if not self._samples:
            return 0.0
        start, transferred_before = self._samples[0]
        return (self._transferred - transferred_before) / max(now - start, _SAMPLE_INTERVAL)

    @property
    def seconds_left(self) -> float | None:
        """The remaining seconds at the current rate; ``None`` while nothing moves."""
        rate = self.rate
        return (self.total - self.moved) / rate if rate > 0 else None

    @property
    def retries(self) -> list[PendingRetry]:
        """The requests that are waiting to be sent again, the next one first."""
        now = self.clock()
        self._retries = {what: retry for what, retry in self._retries.items() if retry.until > now}
        return sorted(self._retries.values(), key=lambda retry: retry.until)

    def largest_transfers(self) -> list[BlobTransfer]:
        """Return the blobs that are being copied, the largest first."""
        return sorted(self.transfers.values(), key=lambda transfer: (-transfer.size, transfer.digest))

    def _transfer(self, digest: str) -> BlobTransfer:
        # Without a BlobStarted event the size is 0 until the BlobDone event tells it.
        return self.transfers.setdefault(digest, BlobTransfer(digest, 0))

    def _add_progress(self, event: BlobProgress) -> None:
        self.moved += self._transfer(event.digest).add(event.bytes)
        if event.bytes > 0:
            self._transferred += event.bytes
            now = self.clock()
            last_sample = self._samples[-1][0] if len(self._samples) > 1 else now - _SAMPLE_INTERVAL
            if now - last_sample < _SAMPLE_INTERVAL:
                self._samples[-1] = (last_sample, self._transferred)
            else:
                self._samples.append((now, self._transferred))

    def _finish_blob(self, event: BlobDone) -> None:
        transfer = self._transfer(event.digest)
        rest = (transfer.size or event.bytes) - transfer.moved
        if event.how in ("fetched", "pushed", "verified"):
            transfer.size = transfer.moved + rest
            self._add_progress(BlobProgress(event.digest, transfer.size - transfer.position))
        else:
            self.total -= rest
        del self.transfers[event.digest]

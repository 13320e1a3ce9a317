# SPDX-License-Identifier: Apache-2.0
"""How far a copy is, counted from its events. Numbers only: it prints nothing, and time is handed in.

What is there already (skipped, mounted, or from an earlier run) leaves the bytes to move, so that it counts neither
as work done nor towards the rate. What is shown of a blob, and so of all, never goes back: a transfer that begins
again shows nothing new until it has passed the place where it broke.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from airgap.events import BlobDone, BlobProgress, BlobResumed, BlobStarted, Event, Planned, Retrying
from airgap.records import Record, field

#: Seconds over which the rate is taken, and between two samples of it.
_WINDOW = 8.0
_SAMPLE = 0.25
_DIGEST = re.compile(r"\b\w+:[0-9a-f]{32,}")


class Waiting(Record, frozen=False):
    """A request that is going to be made again at ``until``, and why; ``digest`` is the blob's, if it is one's."""

    what: str
    reason: str
    attempt: int
    until: float
    digest: str


class Running(Record, frozen=False):
    """A blob on its way: ``moved`` of ``size`` bytes, both without what was there before."""

    digest: str
    size: int
    moved: int = 0
    now: int = 0

    def add(self, count: int) -> int:
        """Note bytes that moved, or that move again; how many of them are new."""
        self.now += count
        before, self.moved = self.moved, max(self.moved, min(self.now, self.size))
        return self.moved - before


class Tally(Record, frozen=False):
    """Not thread-safe: whoever feeds it holds a lock. ``moved`` of ``total`` bytes are where they belong."""

    clock: Callable[[], float]
    total: int = 0
    moved: int = 0
    running: dict[str, Running] = field(default_factory=dict)
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _ratio: float = 0.0
    _line: int = 0
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def count(self, event: Event) -> None:
        if isinstance(event, Planned):
            self.total, self.moved, self._ratio, self._line = event.total, 0, 0.0, 0
            self.running.clear()
            self._waiting.clear()
            self._samples = deque([(self.clock(), 0)])
        elif isinstance(event, BlobStarted):
            self.running[event.digest] = Running(event.digest, event.size)
        elif isinstance(event, BlobResumed):
            self._resumed(event)
        elif isinstance(event, BlobProgress):
            self._moved(event)
        elif isinstance(event, BlobDone):
            self._done(event)
        elif isinstance(event, Retrying):
            found = _DIGEST.search(event.what)
            digest, until = found[0] if found else "", self.clock() + event.delay
            self._waiting[event.what] = Waiting(event.what, event.reason, event.attempt, until, digest)

    @property
    def ratio(self) -> float:
        """From 0 to 1, and never less than it was."""
        self._ratio = max(self._ratio, self.moved / self.total if self.total > 0 else float(not self.running))
        return self._ratio

    @property
    def rate(self) -> float:
        """Bytes a second over the last seconds, those that had to move again included."""
        now = self.clock()
        while len(self._samples) > 1 and self._samples[1][0] <= now - _WINDOW:
            self._samples.popleft()
        if not self._samples:
            return 0.0
        since, before = self._samples[0]
        return (self._line - before) / max(now - since, _SAMPLE)

    @property
    def left(self) -> float | None:
        """Seconds until all is there at this rate, or ``None`` while nothing moves."""
        rate = self.rate
        return (self.total - self.moved) / rate if rate > 0 else None

    @property
    def waiting(self) -> list[Waiting]:
        """What waits for another try now, the soonest first."""
        now = self.clock()
        self._waiting = {what: one for what, one in self._waiting.items() if one.until > now}
        return sorted(self._waiting.values(), key=lambda one: one.until)

    def largest(self) -> list[Running]:
        """The blobs on their way, the largest first."""
        return sorted(self.running.values(), key=lambda blob: (-blob.size, blob.digest))

    def _blob(self, digest: str) -> Running:
        # An event that no start came before: it counts, and its size shows at its end.
        return self.running.setdefault(digest, Running(digest, 0))

    def _resumed(self, event: BlobResumed) -> None:
        self._blob(event.digest).size -= event.bytes
        self.total -= event.bytes

    def _moved(self, event: BlobProgress) -> None:
        self.moved += self._blob(event.digest).add(event.bytes)
        if event.bytes > 0:
            self._line += event.bytes
            now = self.clock()
            last = self._samples[-1][0] if len(self._samples) > 1 else now - _SAMPLE
            if now - last < _SAMPLE:
                self._samples[-1] = (last, self._line)
            else:
                self._samples.append((now, self._line))

    def _done(self, event: BlobDone) -> None:
        blob = self._blob(event.digest)
        rest = (blob.size or event.bytes) - blob.moved
        if event.how in ("fetched", "pushed", "verified"):
            blob.size = blob.moved + rest
            self._moved(BlobProgress(event.digest, blob.size - blob.now))
        else:
            self.total -= rest
        del self.running[event.digest]

# SPDX-License-Identifier: Apache-2.0
"""The connections that no worker has: those that wait for their socket, and those that are looked at again later."""

from __future__ import annotations

import heapq
import itertools
import selectors
import threading
import time
from typing import Any

#: Seconds until incomplete headers are looked at again: a client that sends byte by byte costs no more than that.
_FIRST_NAP, _LONGEST_NAP = 0.02, 1.0


class Waiting:
    """Connections with a ``deadline``. :meth:`watch` may be called by any thread, the rest by one."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._watched: dict[int, Any] = {}
        self._naps: list[tuple[float, int, Any]] = []
        self._order = itertools.count()

    def watch(self, connection: Any, event: int = selectors.EVENT_READ) -> None:
        """Wait until the socket is ready. A connection that was closed meanwhile is forgotten."""
        try:
            with self._lock:
                fd = connection.socket.fileno()
                self.selector.register(fd, event, connection)
                self._watched[fd] = connection
        except (ValueError, KeyError, OSError, RuntimeError):
            connection.close()

    def remove(self, connection: Any) -> None:
        """Wait for a connection no longer."""
        with self._lock:
            fd = connection.socket.fileno()
            if self._watched.get(fd) is connection:
                del self._watched[fd]
                self.selector.unregister(fd)
            if any(nap[2] is connection for nap in self._naps):
                self._naps = [nap for nap in self._naps if nap[2] is not connection]
                heapq.heapify(self._naps)

    def take(self, connection: Any) -> None:
        """Wait for a watched connection no longer."""
        with self._lock:
            fd = connection.socket.fileno()
            if self._watched.get(fd) is connection:
                del self._watched[fd]
                self.selector.unregister(fd)

    def nap(self, connection: Any) -> None:
        """Look at a connection later, each time twice as late."""
        seconds = min(_FIRST_NAP * 2**connection.naps, _LONGEST_NAP)
        connection.naps = min(connection.naps + 1, 8)
        with self._lock:
            heapq.heappush(self._naps, (time.monotonic() + seconds, next(self._order), connection))

    def ended_naps(self, now: float) -> list[Any]:
        """Return the connections to look at now."""
        ended = []
        with self._lock:
            while self._naps and self._naps[0][0] <= now:
                ended.append(heapq.heappop(self._naps)[2])
        return ended

    @property
    def next_nap(self) -> float:
        """When the next nap ends, on the monotonic clock."""
        naps = self._naps
        return naps[0][0] if naps else float("inf")

    def late(self, now: float) -> list[Any]:
        """Return the watched connections whose deadline is past."""
        with self._lock:
            return [connection for connection in self._watched.values() if connection.deadline < now]

    def all(self) -> list[Any]:
        """Return all connections."""
        with self._lock:
            return [*self._watched.values(), *(nap[2] for nap in self._naps)]

    def close(self) -> None:
        """Close all connections and the selector."""
        for connection in self.all():
            connection.close()
        self.selector.close()

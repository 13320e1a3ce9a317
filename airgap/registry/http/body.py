# SPDX-License-Identifier: Apache-2.0
"""Reading an answer's body into a caller's buffer so that nothing that came is lost, and nothing is held back for long.

``http.client``'s own ``readinto`` waits until the buffer is full, and forgets what it has when the line breaks before:
a slow line would show no progress, and one that breaks every megabyte would never get on. Refuses nothing.
"""

from __future__ import annotations

import http.client
import time

from airgap.records import Record

#: Seconds after which what has come is handed on.
_PIECE = 0.25


class Body(Record, frozen=False, eq=False):
    """The body of ``response``; what raised after some bytes had come is raised by the next read."""

    response: http.client.HTTPResponse
    _broken: OSError | None = None

    def readinto(self, buffer: memoryview) -> int:
        """Bytes read, 0 at the end; raises what sockets and ``http.client`` raise."""
        response = self.response
        if self._broken is not None:
            raise self._broken
        if response.chunked or response.length is None or response.isclosed():
            return response.readinto(buffer)
        filled, end, until = 0, min(len(buffer), response.length), time.monotonic() + _PIECE
        ended = False
        while filled < end and not ended:
            try:
                count: int = response.fp.readinto1(buffer[filled:end])
            except OSError as error:
                if not filled:
                    raise
                self._broken = error
                break
            filled += count
            ended = not count
            if time.monotonic() > until:
                break
        response.length -= filled
        if ended or not response.length:
            response.close()
        return filled

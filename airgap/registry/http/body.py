# SPDX-License-Identifier: Apache-2.0
"""Reading the body of a response into a buffer of the caller.

``http.client``'s own ``readinto`` waits until the buffer is full, and loses the bytes that it has read if the
connection breaks before that. On a slow connection there would be no progress to show, and on a connection that breaks
after every megabyte a download would never advance. The class here returns early and keeps what it has read.
"""

from __future__ import annotations

import http.client
import time

from airgap.records import Record
from airgap.registry.http.pace import PacedResponse
from airgap.registry.http.rate import RateLimit

#: Seconds after which a read returns what has arrived so far.
_MAX_READ_TIME = 0.25


def read_into_memory(response: http.client.HTTPResponse, most: int) -> tuple[bytes, bool]:
    """Return the first ``most`` bytes of a body, and whether it has no more. Raises what ``http.client`` raises."""
    body = response.read(most)
    if len(body) < most:
        if response.length:
            raise http.client.IncompleteRead(body, response.length)  # http.client does not raise it here
        response.read(0)  # reads the end of a chunked body, so that the connection can be reused
        return body, True
    return body, response.length == 0 if response.length is not None else not response.read(1)


class ResponseBody(Record, frozen=False, eq=False):
    """The body of ``response``, read at ``rate``. An error that follows after some bytes is raised by the next read."""

    response: http.client.HTTPResponse
    rate: RateLimit | None = None
    _pending_error: OSError | None = None

    def readinto(self, buffer: memoryview) -> int:
        """Return the number of bytes read, 0 at the end; raise what sockets and ``http.client`` raise."""
        if self.rate is None:
            return self._read_some(buffer)
        count = self._read_some(buffer[: self.rate.piece])
        self.rate.wait(count)
        return count

    def _read_some(self, buffer: memoryview) -> int:
        response = self.response
        if isinstance(response, PacedResponse):
            response.pace_body()
        if self._pending_error is not None:
            raise self._pending_error
        if response.chunked or response.length is None or response.isclosed():
            return response.readinto(buffer)
        filled, end = 0, min(len(buffer), response.length)
        deadline = time.monotonic() + _MAX_READ_TIME
        ended = False
        while filled < end and not ended:
            try:
                count: int = response.fp.readinto1(buffer[filled:end])
            except OSError as error:
                if not filled:
                    raise
                self._pending_error = error
                break
            filled += count
            ended = not count
            if time.monotonic() > deadline:
                break
        response.length -= filled
        if ended or not response.length:
            response.close()
        return filled

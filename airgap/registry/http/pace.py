# SPDX-License-Identifier: Apache-2.0
"""How long a peer may keep this program waiting: a deadline for small answers, a minimum rate for bodies.

The time-out of a socket starts again with each byte, so a peer that sends one from time to time would never reach it.
Here only the time is counted that is spent waiting for the socket: a reader that pauses does no harm to its peer.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import http.client
import io
import socket
import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

from airgap import limits
from airgap.i18n import tr

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Seconds. A socket with the time-out 0 would not wait at all.
_SHORTEST_WAIT = 0.001
#: Bytes for each of which a small answer gets one second more: a long list on a slow line is no drip.
_BYTES_PER_SECOND = 64 * 1024


class Patience(Enum):
    """How long the first byte of an answer is waited for, and what its silence means."""

    #: The whole answer is due within ``answer-time`` of the request.
    PROMPT = "prompt"
    #: The first byte is due within the time-out of the registry, the rest within ``answer-time`` after it: for answers
    #: that are much work for a registry, such as lists.
    PATIENT = "patient"
    #: As PATIENT, but silence is a failure of the connection as any other: for blobs, since a proxy answers only once
    #: it has the whole blob, and for what changes something.
    BODY = "body"

    @classmethod
    def of(cls, method: str, limit: str) -> Patience:
        """Return the patience for a small request; ``limit`` is the name of the limit for the bytes of its answer."""
        if method not in ("GET", "HEAD"):
            return cls.BODY
        return cls.PATIENT if limit in ("list-page-bytes", "rest-bytes") else cls.PROMPT


class SlowPeer(TimeoutError):
    """A peer that is alive and too slow. ``limit`` is the name of the limit that it exceeds."""

    limit = ""


class SlowAnswer(SlowPeer):
    """A small answer is not complete in time."""

    limit = "answer-time"


class Silence(SlowPeer):
    """Nothing came within ``seconds``. Without a ``limit``, those are the time-out of the registry."""

    def __init__(self, seconds: float, limit: str = "") -> None:
        super().__init__()
        self.seconds = seconds
        self.limit = limit


class SlowBody(SlowPeer):
    """The bytes of a body come, or are taken, more slowly than the minimum rate."""

    limit = "minimum-rate"


class HeaderTooLong(http.client.HTTPException):
    """The status lines and headers of a response, interim ones included, are too long."""


class MinimumRate:
    """The minimum rate of one body in one direction: measured over periods of waiting."""

    def __init__(self) -> None:
        self._period = float(limits.value("rate-period"))
        self._least = limits.value("minimum-rate") * self._period
        self._waited = 0.0
        self._moved = 0

    def wait(self, sock: socket.socket, operation: Callable[[], int]) -> int:
        """Call ``operation``, which waits for ``sock`` and returns the number of bytes that it moved.

        Raises :class:`SlowBody` once a period of waiting has passed with too few bytes, and what ``operation`` raises.
        """
        timeout, started = sock.gettimeout(), time.monotonic()
        left = self._period - self._waited
        is_shorter = timeout is None or left < timeout
        if is_shorter:
            sock.settimeout(max(left, _SHORTEST_WAIT))
        try:
            moved = operation()
        except TimeoutError as error:
            if is_shorter and error.errno is None:  # the system's own ETIMEDOUT is a broken connection
                raise SlowBody from error
            raise
        finally:
            if is_shorter:
                sock.settimeout(timeout)
            self._waited += time.monotonic() - started
        self._moved += moved
        if self._moved >= self._least:
            self._waited, self._moved = 0.0, 0
        elif self._waited >= self._period:
            raise SlowBody
        return moved


class _PacedSocket(io.RawIOBase):
    """The receiving side of a socket for one response.

    Before the first byte the time-out of the socket holds, then ``answer-time`` for the rest, until :meth:`pace_body`
    is called: from then on the minimum rate. With ``requested_at``, ``answer-time`` begins at that time.
    """

    def __init__(self, sock: socket.socket, requested_at: float | None) -> None:
        self._sock = sock
        self._file: Any = sock.makefile("rb", 0)  # keeps the socket open until this response is read
        self._received = 0
        self._is_prompt = requested_at is not None
        self._waited = 0.0 if requested_at is None else time.monotonic() - requested_at
        self._rate: MinimumRate | None = None

    def pace_body(self) -> None:
        self._rate = self._rate or MinimumRate()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        if self._rate is not None:
            return self._rate.wait(self._sock, lambda: self._sock.recv_into(buffer))
        if not self._received and not self._is_prompt:
            self._received = self._sock.recv_into(buffer)
            return self._received
        timeout, started = self._sock.gettimeout(), time.monotonic()
        left = limits.value("answer-time") + self._received / _BYTES_PER_SECOND - self._waited
        is_shorter = timeout is None or left < timeout
        if left <= 0:
            raise SlowAnswer
        if is_shorter:
            self._sock.settimeout(max(left, _SHORTEST_WAIT))
        try:
            count = self._sock.recv_into(buffer)
        except TimeoutError as error:
            if is_shorter and error.errno is None:
                raise SlowAnswer from error
            raise
        finally:
            if is_shorter:
                self._sock.settimeout(timeout)
            self._waited += time.monotonic() - started
        self._received += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _HeaderReader(io.BufferedReader):
    """Counts the bytes of lines while ``in_header`` is set, and refuses headers that break off."""

    in_header = True
    header_bytes = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if self.in_header:
            self.header_bytes += len(line)
            if self.header_bytes > limits.value("header-bytes"):
                raise HeaderTooLong
            # http.client takes the end of the connection for the end of the headers, and misses those that are lost.
            is_later = self.header_bytes > len(line)
            if not line.endswith(b"\n") and (is_later or b"HTTP/".startswith(line[:5] or b"-")):
                raise ConnectionResetError(errno.ECONNRESET, tr("it ended inside the headers"))
        return line


class PacedResponse(http.client.HTTPResponse):
    """A response that must arrive at the pace that this module asks for; ``requested_at`` makes it a prompt one."""

    def __init__(
        self, sock: socket.socket, *arguments: Any, requested_at: float | None = None, **keywords: Any
    ) -> None:
        super().__init__(sock, *arguments, **keywords)
        self.fp.close()
        self._source = _PacedSocket(sock, requested_at)
        self._reader = self.fp = _HeaderReader(self._source)

    def begin(self) -> None:
        """Read the status line and the headers, after any interim responses."""
        super().begin()
        self._reader.in_header = False

    def pace_body(self) -> None:
        """Ask for the minimum rate from now on, instead of the deadline of small answers."""
        self._source.pace_body()


@contextlib.contextmanager
def waiting(
    connection: http.client.HTTPConnection, timeout: float, patience: Patience, started: float
) -> Iterator[None]:
    """Wait for the first byte of an answer with ``patience``. Raises :class:`Silence`, and what the block raises."""
    is_prompt = patience is Patience.PROMPT
    answer_time = limits.value("answer-time")
    left = answer_time - (time.monotonic() - started) if is_prompt else timeout
    connection.response_class = (
        functools.partial(PacedResponse, requested_at=started) if is_prompt else PacedResponse  # type: ignore[assignment]
    )
    sock = connection.sock
    sock.settimeout(max(min(left, timeout), _SHORTEST_WAIT))
    try:
        yield
    except TimeoutError as error:
        if patience is Patience.BODY or error.errno is not None or isinstance(error, SlowPeer):
            raise
        raise (Silence(answer_time, "answer-time") if is_prompt else Silence(timeout)) from error
    if sock.fileno() >= 0:
        sock.settimeout(timeout)

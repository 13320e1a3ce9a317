# SPDX-License-Identifier: Apache-2.0
"""A connection's socket, which never blocks: it waits no longer than the minimum rate of transfers allows.

Only the time that the client takes counts, not that of disks and other work of the server.
"""

from __future__ import annotations

import array
import fcntl
import select
import socket
import ssl
import termios
import time
from typing import Any

from airgap import system
from airgap.server.limits import Limits
from airgap.store import FileRange

#: Bytes that are read at once from a socket before it is known how many will come.
READ_SIZE = 64 * 1024
#: Bytes of a body that must be there before a waiting thread wakes up, so that a client that sends byte by byte costs
#: no time.
_LOW_WATER = 16 * 1024
#: Bytes that one call of sendfile sends at most.
_SEND_SIZE = 64 * 1024 * 1024


class Pace:
    """Measures whether ``rate`` bytes a second are moved, over ``period`` seconds of waiting."""

    def __init__(self, rate: int, period: int) -> None:
        self.needed = rate * period
        self._period = period
        self._moved = 0
        self._waited = 0.0

    def reset(self) -> None:
        """Begin a new period."""
        self._moved, self._waited = 0, 0.0

    def moved(self, count: int) -> None:
        """Count moved bytes."""
        self._moved += count
        if self._moved >= self.needed:
            self.reset()

    def waited(self, seconds: float) -> None:
        """Count time in which nothing could be moved."""
        self._waited += seconds

    @property
    def rest(self) -> float:
        """Seconds that may still pass until the needed bytes have moved."""
        return self._period - self._waited


class Channel:
    """A non-blocking socket with the bytes that were read ahead. Raises TimeoutError for a client that is too slow."""

    def __init__(self, sock: Any, limits: Limits) -> None:
        self.socket = sock
        self.is_tls = isinstance(sock, ssl.SSLSocket)
        self.buffer = bytearray()
        self.moved = 0
        self.started = time.monotonic()
        self._incoming = Pace(limits["minimum-rate"], limits["rate-period"])
        self._outgoing = Pace(limits["minimum-rate"], limits["rate-period"])
        self._sent = 0
        self._drained = 0
        self._low_water = 1

    def begin(self) -> None:
        """Begin a new request."""
        self.moved, self.started = 0, time.monotonic()
        self._incoming.reset()
        self._outgoing.reset()

    @property
    def rate(self) -> float:
        """Bytes a second of this request, in both directions."""
        return self.moved / max(time.monotonic() - self.started, 0.001)

    def receive_into(self, buffer: memoryview, expected: int = 1) -> int:
        """Read into ``buffer``; return the number of bytes, 0 at the end. ``expected`` bytes are sure to come."""
        if self.buffer:
            count = min(len(buffer), len(self.buffer))
            buffer[:count] = self.buffer[:count]
            del self.buffer[:count]
            return count
        while True:
            try:
                count = self.socket.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._set_low_water(expected)
                self._wait(select.POLLIN, self._incoming)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, self._incoming)
            else:
                self.moved += count
                self._incoming.moved(count)
                return int(count)

    def fill(self) -> bool:
        """Read more bytes ahead; return ``False`` at the end."""
        piece, self.buffer = self.buffer, bytearray()
        more = bytearray(READ_SIZE)
        try:
            count = self.receive_into(memoryview(more))
        finally:
            self.buffer = piece
        self.buffer += more[:count]
        return count > 0

    def send(self, data: bytes | memoryview, *, more: bool = False) -> None:
        """Send all of ``data``. With ``more`` a small packet waits for what is sent next."""
        view = memoryview(data)
        flags = system.MSG_MORE if more and not self.is_tls else 0
        while view:
            try:
                count = self.socket.send(view, flags)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT, self._outgoing)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, self._outgoing)
            else:
                self._count_sent(count)
                view = view[count:]

    def send_file(self, file_range: FileRange) -> int:
        """Send a part of a file on a connection without TLS; return how many bytes the file had of it.

        Only where :func:`airgap.system.sendfile` gives a function.
        """
        sendfile = system.sendfile()
        assert sendfile is not None
        offset, end = file_range.offset, file_range.offset + file_range.length
        while offset < end:
            try:
                count = sendfile(self.socket.fileno(), file_range.fd, offset, min(end - offset, _SEND_SIZE))
            except BlockingIOError:
                self._wait(select.POLLOUT, self._outgoing)
            else:
                if count == 0:
                    break
                self._count_sent(count)
                offset += count
        return offset - file_range.offset

    def _count_sent(self, count: int) -> None:
        self.moved += count
        self._sent += count
        self._outgoing.moved(count)

    def _wait(self, event: int, pace: Pace) -> None:
        if pace.rest <= 0:
            self._check_drained(pace)
        poll = select.poll()
        poll.register(self.socket.fileno(), event)
        started = time.monotonic()
        poll.poll(max(pace.rest, 0.001) * 1000)
        pace.waited(time.monotonic() - started)

    def _check_drained(self, pace: Pace) -> None:
        """Begin a new period if the client received enough of what was handed to the system; raise TimeoutError."""
        if pace is self._outgoing:
            drained = self._sent - _unsent(self.socket)
            if drained - self._drained >= pace.needed:
                self._drained = drained
                pace.reset()
                return
        raise TimeoutError("timed out")  # the words by which cheroot knows it

    def _set_low_water(self, expected: int) -> None:
        # TLS reads a record in parts, so what is still to come is not known.
        low_water = 1 if self.is_tls else max(1, min(expected, _LOW_WATER))
        if low_water != self._low_water:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)
            self._low_water = low_water

    def end_of_body(self) -> None:
        """Wake up at the next byte again."""
        self._set_low_water(1)


class RequestFile:
    """What cheroot reads requests from: the buffer of the channel, which has the whole head."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.closed = False
        self.bytes_read = 0

    def readline(self, size: int = -1) -> bytes:
        """Return a line, or a part of it of at most ``size`` bytes."""
        buffer, searched = self._channel.buffer, 0
        while True:
            newline = buffer.find(b"\n", searched)
            end = newline + 1 if newline >= 0 else len(buffer)
            if 0 <= size < end:
                end = size
            elif newline < 0:
                searched = len(buffer)
                if self._channel.fill():
                    buffer = self._channel.buffer
                    continue
            line = bytes(buffer[:end])
            del buffer[:end]
            return line

    def has_data(self) -> bool:
        """Whether bytes were read ahead."""
        return bool(self._channel.buffer)

    def close(self) -> None:
        """Give up what was read ahead."""
        self.closed = True
        self._channel.buffer.clear()


class ResponseFile:
    """What cheroot writes responses to. With ``more`` a body follows what is written."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.bytes_written = 0
        self.more = False

    def write(self, data: bytes) -> int:
        """Send ``data``."""
        self._channel.send(data, more=self.more)
        return len(data)

    def close(self) -> None:
        """Do nothing: all was sent."""


def _unsent(sock: Any) -> int:
    """Return how many bytes the system holds for a socket that the client has not received (SIOCOUTQ)."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, count)
    except OSError:
        return 0
    return count[0]

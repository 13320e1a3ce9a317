# SPDX-License-Identifier: Apache-2.0
"""The thread in front of the workers: it accepts connections and waits for complete headers, for all at once.

New connections, TLS handshakes, incomplete headers, idle connections and those that are being closed hold no worker.
It takes the place of cheroot's connection manager, which gives every new connection to a worker at once.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import ssl
import threading
import time
from collections import Counter
from enum import Enum
from typing import Any

from airgap.server import head
from airgap.server.channel import READ_SIZE
from airgap.server.clients import client_of
from airgap.server.limits import Limits
from airgap.server.waiting import Waiting

#: Seconds between looks at the deadlines.
_TICK = 0.5
#: Connections that are accepted before others get their turn.
_ACCEPTS = 64
#: Seconds and bytes that a client which is still sending gets to read the response.
_LINGER_TIME = 2.0
_LINGER_BYTES = 64 * 1024 * 1024
_PLAIN_HTTP_RESPONSE = b"""\
HTTP/1.1 400 Bad Request\r
Content-Type: text/plain\r
Content-Length: 45\r
Connection: close\r
\r
This was an HTTP request to an HTTPS server.
"""


class Phase(Enum):
    """What a connection that no worker has is waiting for."""

    HANDSHAKE = 1
    HEAD = 2
    LINGER = 3


class Front:
    """All connections that no worker has. :meth:`run` is called by one thread, the other methods by any."""

    def __init__(self, server: Any, limits: Limits) -> None:
        self._server = server
        self._limits = limits
        self._limit = limits.connections_that_fit()
        self._listener = server.socket
        self._listener.setblocking(False)
        self._waiting = Waiting()
        self._lock = threading.Lock()
        self._returned: list[Any] = []
        self._open = 0
        self._by_client: Counter[str] = Counter()
        self._head_bytes = 0
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._stop_requested = False
        self._stopped = threading.Event()
        self._stopped.set()
        self._waiting.selector.register(self._listener, selectors.EVENT_READ)
        self._waiting.selector.register(self._wake_reader, selectors.EVENT_READ)

    # What cheroot calls

    def run(self, expiration_interval: float) -> None:
        """Accept connections and hand requests to the workers, until :meth:`stop`."""
        self._stopped.clear()
        try:
            next_tick = time.monotonic()
            while not self._stop_requested:
                now = time.monotonic()
                if now >= next_tick:
                    self._expire(now)
                    if self._server.requests.waiting:
                        self._server.requests.make_room()
                    next_tick = now + _TICK
                wake = min(next_tick, self._waiting.next_nap)
                for key, _ in self._waiting.selector.select(max(wake - now, 0)):
                    self._handle(key)
                self._end_naps()
                while self._returned:
                    self._advance(self._returned.pop())
        finally:
            self._stopped.set()

    def stop(self) -> None:
        """End :meth:`run`."""
        self._stop_requested = True
        self._wake()
        self._stopped.wait()

    def put(self, connection: Any) -> None:
        """Take a connection back from a worker."""
        now = time.monotonic()
        connection.phase = Phase.LINGER if connection.lingering else Phase.HEAD
        connection.deadline = now + (_LINGER_TIME if connection.lingering else self._limits["idle-time"])
        connection.searched = connection.naps = 0
        if connection.channel.buffer or (connection.channel.is_tls and connection.has_pending()):
            self._returned.append(connection)
            self._wake()
        else:
            self._waiting.watch(connection)

    def close(self) -> None:
        """Close all connections."""
        self._waiting.close()
        for connection in self._returned:
            connection.close()
        self._wake_reader.close()
        self._wake_writer.close()

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Whether a connection may stay open after its response."""
        return not self._stop_requested

    def forget(self, client: str) -> None:
        """Count a connection that was closed."""
        with self._lock:
            self._open -= 1
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    # Accepting

    def _handle(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif key.fileobj is self._wake_reader:
            with contextlib.suppress(BlockingIOError):
                self._wake_reader.recv(4096)
        else:
            connection = key.data
            self._waiting.take(connection)
            self._advance(connection)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, address = self._listener.accept()
            except OSError as error:
                is_out_of_files = error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
                if is_out_of_files and not self._close_idle(None):
                    time.sleep(0.01)  # the connection stays in the system's queue: this would be a busy loop
                return
            client = client_of(address[0])
            if not self._make_room(client):
                sock.close()
                continue
            with self._lock:
                self._open += 1
                self._by_client[client] += 1
            try:
                connection = self._server.adopt(sock, address, client)
            except OSError:
                self.forget(client)
                sock.close()
                continue
            is_tls = connection.channel.is_tls
            connection.phase = Phase.HANDSHAKE if is_tls else Phase.HEAD
            connection.deadline = time.monotonic() + self._limits["handshake-time" if is_tls else "header-time"]
            self._waiting.watch(connection)

    def _make_room(self, client: str) -> bool:
        with self._lock:
            is_full_for_client = self._by_client[client] >= self._limits["connections-per-client"]
            is_full = self._open >= self._limit
        if is_full_for_client:
            return self._close_idle(client)
        return not is_full or self._close_idle(None)

    def _close_idle(self, client: str | None) -> bool:
        """Close the idle connection, of ``client`` or of all, that is closest to its deadline."""
        idle = [waiting for waiting in self._waiting.all() if client in (None, waiting.client)]
        if not idle:
            return False
        self._drop(min(idle, key=lambda waiting: waiting.deadline))
        return True

    # Handshakes, headers and ends

    def _advance(self, connection: Any) -> None:
        try:
            if connection.phase is Phase.HANDSHAKE and not self._shake_hands(connection):
                return
            if connection.phase is Phase.LINGER:
                self._drain(connection)
            else:
                self._read_head(connection)
        except (OSError, ValueError):  # the client left, or the connection was closed meanwhile
            connection.close()

    def _shake_hands(self, connection: Any) -> bool:
        sock = connection.socket
        # The first byte of a TLS connection is the type of a handshake record (RFC 8446, 5.1).
        if not connection.naps:
            first = socket.socket.recv(sock, 1, socket.MSG_PEEK)
            if first and first != b"\x16":
                self.refuse(connection, _PLAIN_HTTP_RESPONSE)
                return False
            connection.naps = 1
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._waiting.watch(connection)
            return False
        except ssl.SSLWantWriteError:
            self._waiting.watch(connection, selectors.EVENT_WRITE)
            return False
        connection.phase, connection.naps = Phase.HEAD, 0
        connection.deadline = time.monotonic() + self._limits["header-time"]
        return True

    def _read_head(self, connection: Any) -> None:
        buffer, ended = connection.channel.buffer, False
        end = head.find_end(buffer, 0) if buffer and not connection.searched else -1
        if end < 0:  # otherwise the client sent its next request early
            ended = self._receive(connection)
            if buffer.startswith(b"\r\n") and not connection.searched:  # RFC 9112, 2.2
                del buffer[:2]
            end = head.find_end(buffer, connection.searched)
        if not connection.searched:
            connection.deadline = min(connection.deadline, time.monotonic() + self._limits["header-time"])
        self._count_head(connection, 0 if end >= 0 else len(buffer))
        refusal = head.size_problem(buffer[:end] if end >= 0 else buffer, self._limits)
        if buffer[:1] == b"\x16":  # a TLS handshake record (RFC 8446, 5.1): its client waits for an answer
            refusal = 400, "this server speaks plain HTTP"
        if refusal:
            self.refuse(connection, head.refusal_response(*refusal))
        elif end >= 0:
            connection.head = bytes(buffer[:end])
            self._server.requests.put(connection)
        elif ended:
            connection.close()
        elif not buffer:
            self._waiting.watch(connection)
        else:
            connection.searched = len(buffer)
            self._waiting.nap(connection)

    def _receive(self, connection: Any) -> bool:
        """Read what has arrived; return whether the client has ended its side."""
        buffer = connection.channel.buffer
        while True:
            try:
                piece = connection.socket.recv(READ_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError):
                return False
            buffer += piece
            if not piece or not connection.channel.is_tls or len(buffer) > self._limits["header-bytes"]:
                return not piece

    def refuse(self, connection: Any, response: bytes) -> None:
        """Answer without a worker, and close the connection once the client has read the response."""
        self._count_head(connection, 0)
        with contextlib.suppress(OSError):
            if connection.phase is Phase.HANDSHAKE:
                socket.socket.send(connection.socket, response)
            else:
                connection.socket.send(response)
        connection.end_sending()
        connection.phase, connection.deadline = Phase.LINGER, time.monotonic() + _LINGER_TIME
        self._waiting.watch(connection)

    def _drain(self, connection: Any) -> None:
        connection.channel.buffer.clear()
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            piece = socket.socket.recv(connection.socket, 4 * READ_SIZE)
            connection.drained += len(piece)
            if not piece or connection.drained > _LINGER_BYTES:
                connection.close()
                return
        self._waiting.watch(connection)

    # Deadlines

    def _end_naps(self) -> None:
        now = time.monotonic()
        for connection in self._waiting.ended_naps(now):
            if now >= connection.deadline:
                self.refuse(connection, head.refusal_response(408, "the headers took too long"))
            else:
                self._waiting.watch(connection)

    def _expire(self, now: float) -> None:
        for connection in self._waiting.late(now):
            if connection.phase is Phase.HEAD and connection.channel.buffer:
                self._waiting.take(connection)
                self.refuse(connection, head.refusal_response(408, "the headers took too long"))
            else:
                self._drop(connection)

    def _count_head(self, connection: Any, count: int) -> None:
        """Count the bytes of incomplete headers. With too many, the connection that has the most is refused."""
        self._head_bytes += count - connection.head_bytes
        connection.head_bytes = count
        if self._head_bytes > self._limits["header-memory"]:
            others = [other for other in self._waiting.all() if other is not connection and other.head_bytes]
            if others:
                largest = max(others, key=lambda other: other.head_bytes)
                self._waiting.remove(largest)
                largest.channel.buffer.clear()
                self.refuse(largest, head.refusal_response(431, "the headers of all clients are too long"))

    def _drop(self, connection: Any) -> None:
        self._waiting.remove(connection)
        self._count_head(connection, 0)
        connection.close()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_writer.send(b"\0")

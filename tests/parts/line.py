# SPDX-License-Identifier: Apache-2.0
"""A line to a server that breaks: a TCP relay on loopback that counts, and cuts each connection after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

from tests.parts.service import LOOPBACK


class Line:
    """``sent`` are the bytes that went to the server, ``cuts`` how many connections were reset.

    ``limit`` is how many bytes a connection may carry, both ways together; 0 for all of them. With ``hold_at`` set,
    nothing more goes to the server once so many bytes have: ``held`` is set then. ``release`` ends what was held behind
    them, since what still lay in its buffers might be all the rest, and lets new connections through.
    """

    def __init__(self, upstream: str, limit: int = 0) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = host, int(port)
        self.limit = limit
        self.sent = 0
        self.cuts = 0
        self.connections = 0
        self.hold_at: int | None = None
        self.held = threading.Event()
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((LOOPBACK, 0), backlog=64)
        self.address = f"{LOOPBACK}:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._upstream, timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            pair = _Pair(client, server)
            with self._lock:
                self.connections += 1
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                thread = threading.Thread(target=self._relay, args=(pair, source, sink), daemon=True)
                self._threads.append(thread)
                thread.start()

    def release(self) -> None:
        """End what is held, and let through what comes."""
        self.hold_at = None
        self._released.set()

    def _hold(self) -> bool:
        """Whether this was held until the release."""
        if self.hold_at is None or self.sent < self.hold_at:
            return False
        self.held.set()
        self._released.wait(60)
        return True

    def _relay(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if source is pair.client and self._hold():
                    sink.shutdown(socket.SHUT_WR)  # as for a process that is killed: what was sent arrives
                    break
                with self._lock:
                    room = self.limit - pair.carried if self.limit else len(data)
                    passed = data[: max(room, 0)]
                    pair.carried += len(passed)
                    if source is pair.client:
                        self.sent += len(passed)
                if passed:
                    sink.sendall(passed)
                if len(passed) < len(data):
                    with self._lock:
                        self.cuts += 1
                    pair.reset()
                    break
            else:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pair.reset()  # one side went away, and so the other does
        finally:
            pair.leave()

    def stop(self) -> None:
        self.release()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still = list(self._open)
        for sock in still:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


class _Pair:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.carried = 0
        self._lock = threading.Lock()
        self._users = 2

    def reset(self) -> None:
        """Both ends see a reset, not an orderly end."""
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self.client.close()
                self.server.close()


@contextlib.contextmanager
def line(upstream: str, *, limit: int = 0) -> Iterator[Line]:
    """A :class:`Line` to ``host:port`` that ends with the block."""
    made = Line(upstream, limit)
    try:
        yield made
    finally:
        made.stop()

# SPDX-License-Identifier: Apache-2.0
"""A port, of loopback if nothing else is said, on which a test's server accepts connections, each in its own thread."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from tests.parts.service import LOOPBACK


class Listener:
    """Calls ``serve`` with each accepted connection and its number, from 1, and closes the connection afterwards.

    ``port`` 0 is any free port; raises :class:`OSError` if the port is taken. ``receive_buffer`` is the size of the
    sockets' receive buffers in bytes, 0 for the system's default. ``count`` is the number of accepted connections.
    ``host`` is where it listens if not on loopback, empty for every address.
    """

    def __init__(
        self,
        serve: Callable[[socket.socket, int], None],
        *,
        port: int = 0,
        receive_buffer: int = 0,
        host: str = LOOPBACK,
    ) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server((host, port), backlog=64)
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.count = 0
        self.port: int = self._socket.getsockname()[1]
        self.address = f"{host or LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Begin to accept connections."""
        self._acceptor = self._start(self._accept)

    def stop(self) -> None:
        """Accept nothing more, shut all connections down and wait for the threads that serve them."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._acceptor.join(10)
        self.hang_up()
        for thread in self._threads:
            thread.join(10)

    def hang_up(self) -> None:
        """Shut down every connection that is open now."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def open(self, connection: socket.socket) -> Iterator[None]:
        """Let :meth:`hang_up` shut this connection down too, and close it at the end of the block."""
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    @staticmethod
    def _start(work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.count += 1
            with self._lock:
                self._open.add(connection)
            self._threads.append(self._start(self._serve_one, connection, self.count))

    def _serve_one(self, connection: socket.socket, number: int) -> None:
        with self.open(connection):
            self._serve(connection, number)


def reset_when_closed(connection: socket.socket) -> None:
    """Make the connection end with RST instead of FIN once it is closed."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

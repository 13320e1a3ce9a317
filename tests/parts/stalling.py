# SPDX-License-Identifier: Apache-2.0
"""A line to a registry that falls silent, and counts what it carried."""

from __future__ import annotations

import contextlib
import socket
import threading


class Stalling:
    """Relays to a registry, and from ``stalled`` on keeps connections open without a word.

    A connection stalls when more than ``limit`` bytes went through it in one direction; 0 is no limit. ``down`` and
    ``up`` count what went through all of them, towards the client and from it.
    """

    def __init__(self, upstream: str, limit: int = 0) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = host, int(port)
        self._limit = limit
        self.down = self.up = 0
        self.stalled = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type] # a method
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(self._upstream)
            self._sockets += client, upstream
            self._start(self._relay, client, upstream, "up")
            self._start(self._relay, upstream, client, "down")

    def _relay(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        count = 0
        try:
            while data := source.recv(65536):
                count += len(data)
                if self._limit and count > self._limit:
                    self.stalled.set()
                    self._over.wait()
                    return
                sink.sendall(data)
                with self._lock:
                    setattr(self, way, getattr(self, way) + len(data))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def __enter__(self) -> Stalling:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)

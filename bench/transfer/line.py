# SPDX-License-Identifier: Apache-2.0
"""A line with a delay: a TCP relay on loopback that holds every byte back, in a process of its own.

Each direction is half the round trip late, and a new connection's first bytes wait one round trip more, as they
would for TCP's handshake. There is no limit of bandwidth and no slow start, so what this line shows is the price of
round trips alone; a real one costs more. Connects to one loopback port and nothing else.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import socket
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

_LOOPBACK = "127.0.0.1"
_PART = 256 << 10
_PARTS_ON_THE_LINE = 256  # 64 MiB a direction: never the limit at the delays used here


@contextlib.contextmanager
def delayed(port: int, round_trip: float) -> Iterator[int]:
    """A port whose connections reach ``port`` with a round trip of ``round_trip`` seconds."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(port, round_trip, theirs), daemon=True)
    process.start()
    try:
        yield int(ours.recv())
    finally:
        process.terminate()
        process.join()


def _serve(port: int, round_trip: float, told: Connection) -> None:
    with socket.create_server((_LOOPBACK, 0), backlog=128) as listener:
        told.send(listener.getsockname()[1])
        while True:
            client, _ = listener.accept()
            try:
                server = socket.create_connection((_LOOPBACK, port))
            except OSError:
                client.close()
                continue
            opened = time.monotonic()
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _start(client, server, opened + round_trip, round_trip / 2)
            _start(server, client, opened + round_trip, round_trip / 2)


def _start(source: socket.socket, sink: socket.socket, not_before: float, delay: float) -> None:
    line: queue.Queue[tuple[float, bytes]] = queue.Queue(_PARTS_ON_THE_LINE)
    threading.Thread(target=_receive, args=(source, line, not_before, delay), daemon=True).start()
    threading.Thread(target=_send, args=(line, sink), daemon=True).start()


def _receive(source: socket.socket, line: queue.Queue[tuple[float, bytes]], not_before: float, delay: float) -> None:
    data = b"-"
    while data:
        try:
            data = source.recv(_PART)
        except OSError:
            data = b""
        line.put((max(time.monotonic(), not_before) + delay, data))


def _send(line: queue.Queue[tuple[float, bytes]], sink: socket.socket) -> None:
    broken = False
    while True:
        due, data = line.get()
        time.sleep(max(0.0, due - time.monotonic()))
        if not data:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
            return
        try:
            if not broken:
                sink.sendall(data)
        except OSError:
            broken = True  # what is left on the line is thrown away, and the sender learns of it by its own reset
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

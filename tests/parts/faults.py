# SPDX-License-Identifier: Apache-2.0
"""A reverse proxy on loopback that stands before a real registry and breaks what it is told to, at the socket.

Requests are forwarded one by one over connections of their own; those that a :class:`Fault` takes are answered, cut,
held up or changed as it says. Nothing but loopback is ever connected to.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.parts.service import LOOPBACK

RESET, CLOSE, STALL = "reset", "close", "stall"
#: Bytes that the proxy's sockets keep, so that a client notices early that nobody takes what it sends.
_BUFFER = 64 * 1024
_PIECE = 16 * 1024


@dataclass
class Reply:
    """A registry's answer, read whole, for a fault to change."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def drop(self, *names: str) -> None:
        """Take headers away."""
        self.headers = [(name, value) for name, value in self.headers if name.lower() not in names]


@dataclass
class Fault:
    """What happens to the next ``times`` requests of ``method`` whose target holds ``fragment``, after ``skip`` that
    pass; ``header`` must be among theirs: an unanswered challenge breaks nothing.

    ``instead`` is answered without asking the registry, once ``request_bytes`` of the body were read (``None``: all),
    and the connection closed if that left some. ``request_bytes`` and ``response_bytes`` are where ``then`` happens:
    RESET, CLOSE or STALL. ``flip_request`` and ``flip_response`` are bytes whose lowest bit is turned over. ``strip``
    are headers that the registry never sees; ``change`` edits its answer. ``pause`` is slept for each piece of a body.
    """

    method: str
    fragment: str
    times: int = 1
    skip: int = 0
    header: str = "Authorization"
    instead: Reply | None = None
    then: str = ""
    request_bytes: int | None = None
    response_bytes: int | None = None
    flip_request: int | None = None
    flip_response: int | None = None
    strip: tuple[str, ...] = ()
    change: Callable[[Reply], None] | None = None
    pause: float = 0.0
    hits: int = 0

    def takes(self, method: str, target: str, headers: http.client.HTTPMessage) -> bool:
        """Whether it is this request's turn; counts it."""
        if method != self.method or self.fragment not in target or self.header not in headers:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.hits == self.times:
            return False
        self.hits += 1
        return True


class _End(Exception):
    """The client's connection ends here; ``reset`` with RST."""

    def __init__(self, reset: bool = False) -> None:
        self.reset = reset


@dataclass
class FaultyProxy:
    """``seen`` holds method, target and whether an Authorization came, of each request."""

    upstream: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._listener.bind((LOOPBACK, 0))
        self._listener.listen(64)
        self.address = f"{LOOPBACK}:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still = list(self._open)
        for sock in still:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            with client.makefile("rb") as file:
                while self._one(client, file):
                    pass
        except _End as end:
            if end.reset:
                with contextlib.suppress(OSError):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, http.client.HTTPException):
            pass  # somebody went away, which faults bring about
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _one(self, client: socket.socket, file: Any) -> bool:
        line = file.readline(65537).decode("latin-1").split()
        if len(line) != 3:
            return False
        method, target, _ = line
        headers = http.client.parse_headers(file)
        with self._lock:
            self.seen.append((method, target, "Authorization" in headers))
            fault = next((f for f in self.faults if f.takes(method, target, headers)), Fault("", ""))
        length = int(headers.get("Content-Length") or 0)
        if fault.instead is not None:
            _read(file, length if fault.request_bytes is None else min(length, fault.request_bytes))
            early = fault.request_bytes is not None and fault.request_bytes < length
            self._say(client, method, fault.instead, fault, close=early)
            if early:
                client.shutdown(socket.SHUT_WR)
                _drain(client)
            return not early
        reply = self._ask(method, target, headers, length, file, fault)
        if fault.change is not None:
            fault.change(reply)
        self._say(client, method, reply, fault)
        return True

    def _ask(
        self, method: str, target: str, headers: http.client.HTTPMessage, length: int, file: Any, fault: Fault
    ) -> Reply:
        host, _, port = self.upstream.rpartition(":")
        upstream = http.client.HTTPConnection(host, int(port), timeout=20)
        with contextlib.closing(upstream):
            upstream.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name.lower() not in (*fault.strip, "connection"):
                    upstream.putheader(name, value)
            upstream.putheader("Connection", "close")
            upstream.endheaders()
            done = 0
            while done < length:
                stop = fault.request_bytes if fault.then else None
                if stop is not None and done >= stop:
                    self._break(fault)
                left = (length if stop is None else min(length, stop)) - done
                piece = bytearray(_read(file, min(_PIECE, left)))
                _flip(piece, fault.flip_request, done)
                self._wait(fault)
                upstream.send(piece)
                done += len(piece)
            answer = upstream.getresponse()
            body = answer.read()
            gone = ("connection", "transfer-encoding", "content-length")
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in gone]
            if method == "HEAD" or answer.status == 204:
                kept += [("Content-Length", value) for value in answer.headers.get_all("Content-Length") or ()]
            return Reply(answer.status, answer.reason, kept, body)

    def _say(self, client: socket.socket, method: str, reply: Reply, fault: Fault, *, close: bool = False) -> None:
        lines = [f"HTTP/1.1 {reply.status} {reply.reason}", *(f"{name}: {value}" for name, value in reply.headers)]
        if method != "HEAD" and reply.status != 204:
            lines.append(f"Content-Length: {len(reply.body)}")
        if close:
            lines.append("Connection: close")
        body = bytearray(b"" if method == "HEAD" else reply.body)
        _flip(body, fault.flip_response, 0)
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if fault.then and fault.response_bytes is not None and fault.response_bytes < 0:
            self._break(fault)  # not even its head is said
        client.sendall(head)
        end = len(body) if not fault.then or fault.response_bytes is None else fault.response_bytes
        for at in range(0, min(end, len(body)), _PIECE):
            self._wait(fault)
            client.sendall(body[at : min(at + _PIECE, end)])
        if fault.then and fault.response_bytes is not None:
            self._break(fault)

    def _break(self, fault: Fault) -> None:
        if fault.then == STALL:
            self._over.wait(30)
        raise _End(reset=fault.then == RESET)

    def _wait(self, fault: Fault) -> None:
        if fault.pause:
            self._over.wait(fault.pause)


def _read(file: Any, count: int) -> bytes:
    body: bytes = file.read(count)
    if len(body) < count:
        raise ConnectionError("the client went away")
    return body


def _drain(client: socket.socket) -> None:
    """Take what is still on its way, so that closing sends no RST that would overtake the answer."""
    client.settimeout(1)
    with contextlib.suppress(OSError):
        while client.recv(65536):
            pass


def _flip(piece: bytearray, place: int | None, begin: int) -> None:
    if place is not None and begin <= place < begin + len(piece):
        piece[place - begin] ^= 1


@contextlib.contextmanager
def faulty(upstream: str, *faults: Fault) -> Iterator[FaultyProxy]:
    """A proxy before the registry at ``host:port``."""
    proxy = FaultyProxy(upstream, list(faults))
    try:
        yield proxy
    finally:
        proxy.stop()

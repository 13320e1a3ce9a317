# SPDX-License-Identifier: Apache-2.0
"""A faulty network line to a registry: a relay on loopback that breaks, stalls, delays, corrupts and counts.

Without faults it relays bytes as they come, and may break each connection after ``limit`` bytes or stall all of them.
With :class:`Fault` objects it relays request by request, and a fault changes the requests and answers that it matches.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from tests.parts.listener import Listener, reset_when_closed
from tests.parts.waiting import wait_until

#: How a connection breaks: with RST, with FIN, or by staying open in silence until the line is released.
Ending = Literal["reset", "close", "stall"]
RESET: Ending = "reset"
CLOSE: Ending = "close"
STALL: Ending = "stall"

#: Size of the relay's receive buffers in bytes: small, so that a client soon notices that nothing takes its bytes.
_BUFFER = 64 * 1024
#: Bytes of a body that are relayed at once.
_CHUNK = 16 * 1024
#: Seconds after which a stall ends by itself: more than any test takes.
_MAX_STALL = 60


@dataclass(frozen=True)
class Break:
    """The connection breaks after ``after`` bytes of a body, or before the message's head if it is ``None``.

    A body that is shorter passes.
    """

    ending: Ending
    after: int | None = None


@dataclass
class Reply:
    """A registry's whole answer."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def drop(self, *names: str) -> None:
        """Remove headers by their names in lower case."""
        self.headers = [(name, value) for name, value in self.headers if name.lower() not in names]


@dataclass
class Fault:
    """What happens to the next ``times`` requests of ``method`` whose target contains ``fragment``.

    The first ``skip`` matching requests pass. Only requests with ``header`` match: by default those after the
    registry's challenge. ``hits`` counts the requests that the fault has changed.
    """

    method: str
    fragment: str
    times: int = 1
    skip: int = 0
    header: str = "Authorization"
    #: Break the request, or its answer.
    request: Break | None = None
    response: Break | None = None
    #: Position of a byte of the body whose lowest bit is flipped.
    corrupt_request: int | None = None
    corrupt_response: int | None = None
    #: Length to which the answer's body is cut; Content-Length says the same.
    truncate: int | None = None
    #: Seconds that each 16 KiB of a body take.
    delay: float = 0.0
    #: Answer without asking the registry, after ``answer_after`` bytes of the request's body (``None``: all of it).
    answer: Reply | None = None
    answer_after: int | None = None
    #: Names, in lower case, of request headers that the registry does not get.
    strip: tuple[str, ...] = ()
    #: Edits the registry's answer.
    change: Callable[[Reply], None] | None = None
    hits: int = 0

    def matches(self, method: str, target: str, headers: http.client.HTTPMessage) -> bool:
        """Whether the fault applies to this request; counts it."""
        if method != self.method or self.fragment not in target or self.header not in headers:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.hits == self.times:
            return False
        self.hits += 1
        return True


class _Broken(Exception):
    """The connection ends now; its argument is the :data:`Ending`."""


class FaultyLine:
    """The relay to ``upstream`` (``host:port``); made by :func:`faulty_line`.

    ``sent`` and ``received`` count the bytes that went to the registry and came from it, ``connections`` the clients'
    connections, ``resets`` those that were reset; ``requests`` holds method, target and whether there was an
    ``Authorization``, of each request, where there are faults.
    """

    def __init__(self, upstream: str, faults: list[Fault], limit: int, ending: Ending, *, once_read: bool) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = host, int(port)
        self.faults = faults
        self._limit, self._ending, self._once_read = limit, ending, once_read
        #: Stall once so many bytes have gone to the registry, over all connections.
        self.stall_after: int | None = None
        #: Set once a connection has stalled.
        self.stalled = threading.Event()
        self.sent = self.received = self.resets = 0
        self.requests: list[tuple[str, str, bool]] = []
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._listener = Listener(self._by_request if faults else self._by_byte, receive_buffer=_BUFFER)
        self.address = self._listener.address
        self.url = f"http://{self.address}"

    @property
    def connections(self) -> int:
        """How many connections clients have opened."""
        return self._listener.count

    def start(self) -> None:
        """Begin to accept connections."""
        self._listener.start()

    def release(self) -> None:
        """End every stall and stall nothing more. What stalled is lost, as if the client had been killed then."""
        self.stall_after = None
        self._released.set()

    def stop(self) -> None:
        """Release the line and end all connections."""
        self.release()
        self._listener.stop()

    # Byte by byte

    def _by_byte(self, client: socket.socket, _: int) -> None:
        try:
            server = socket.create_connection(self._upstream, timeout=10)
        except OSError:
            return
        server.settimeout(None)
        with self._listener.open(server):
            connection = _Connection(client, server)
            answers = threading.Thread(target=self._relay, args=(connection, server, client), daemon=True)
            answers.start()
            self._relay(connection, client, server)
            answers.join()

    def _relay(self, connection: _Connection, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._carry(connection, sink, data)
            sink.shutdown(socket.SHUT_WR)
        except _Broken as broken:
            if broken.args == (STALL,):
                with contextlib.suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)  # the other side gets what was relayed, and then an orderly end
            else:
                connection.end(reset=broken.args == (RESET,))
        except OSError:
            connection.end(reset=True)  # one side ended, so the other one does

    def _carry(self, connection: _Connection, sink: socket.socket, data: bytes) -> None:
        """Send on as much of ``data`` as the limits allow, count it, and break the connection at a limit."""
        to_server = sink is connection.server
        if to_server and self.stall_after is not None and self.sent >= self.stall_after:
            self._break(STALL)
        with self._lock:
            allowed = data[: max(self._limit - connection.carried, 0)] if self._limit else data
            connection.carried += len(allowed)
            self.sent += len(allowed) if to_server else 0
            self.received += 0 if to_server else len(allowed)
        if allowed:
            sink.sendall(allowed)
        if len(allowed) < len(data):
            if self._once_read and to_server:
                wait_until(lambda: not _unread(sink))
            self._break(self._ending)

    def _break(self, ending: Ending) -> NoReturn:
        if ending == STALL:
            self.stalled.set()
            self._released.wait(_MAX_STALL)
        with self._lock:
            self.resets += ending == RESET
        raise _Broken(ending)

    # Request by request

    def _by_request(self, client: socket.socket, _: int) -> None:
        connection = _Connection(client)
        # OSError and HTTPException: one side went away, which faults bring about.
        with contextlib.suppress(OSError, http.client.HTTPException), client.makefile("rb") as file:
            try:
                while self._exchange(connection, file):
                    pass
            except _Broken as broken:
                if broken.args == (RESET,):
                    reset_when_closed(client)

    def _exchange(self, connection: _Connection, file: io.BufferedReader) -> bool:
        """Relay one request and its answer; tell whether the connection stays open."""
        words = file.readline(65537).decode("latin-1").split()
        if len(words) != 3:
            return False
        method, target, _ = words
        headers = http.client.parse_headers(file)
        with self._lock:
            self.requests.append((method, target, "Authorization" in headers))
            matching = (fault for fault in self.faults if fault.matches(method, target, headers))
            fault = next(matching, Fault("", ""))
        length = int(headers.get("Content-Length") or 0)
        if fault.answer is None:
            self._answer(connection, method, self._ask(connection, method, target, headers, file, fault), fault)
            return True
        early = fault.answer_after is not None and fault.answer_after < length
        _read(file, fault.answer_after if early and fault.answer_after is not None else length)
        self._answer(connection, method, fault.answer, fault, close=early)
        if early:
            connection.client.shutdown(socket.SHUT_WR)
            _drain(connection.client)
        return not early

    def _ask(
        self, connection: _Connection, method: str, target: str, headers: http.client.HTTPMessage,
        file: io.BufferedReader, fault: Fault,
    ) -> Reply:  # fmt: skip
        """The registry's answer to a request that goes to it over a connection of its own."""
        if fault.request is not None and fault.request.after is None:
            self._break(fault.request.ending)
        kept = [(name, value) for name, value in headers.items() if name.lower() not in (*fault.strip, "connection")]
        with socket.create_connection(self._upstream, timeout=20) as server:
            connection.server = server
            self._carry(connection, server, _head(f"{method} {target} HTTP/1.1", [*kept, ("Connection", "close")]))
            length = int(headers.get("Content-Length") or 0)
            for chunk in self._chunks(length, fault.request, fault.corrupt_request, fault.delay, file.read):
                self._carry(connection, server, chunk)
            with http.client.HTTPResponse(server, method=method) as answer:
                answer.begin()
                body = answer.read()
                dropped = ["connection", "transfer-encoding"]
                if method != "HEAD" and answer.status != 204:
                    dropped.append("content-length")
                kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in dropped]
                reply = Reply(answer.status, answer.reason, kept, body)
        if fault.truncate is not None:
            reply.body = reply.body[: fault.truncate]
        if fault.change is not None:
            fault.change(reply)
        return reply

    def _answer(self, connection: _Connection, method: str, reply: Reply, fault: Fault, *, close: bool = False) -> None:
        headers, body = list(reply.headers), io.BytesIO(b"" if method == "HEAD" else reply.body)
        if method != "HEAD" and reply.status != 204:
            headers.append(("Content-Length", str(len(reply.body))))
        if close:
            headers.append(("Connection", "close"))
        if fault.response is not None and fault.response.after is None:
            self._break(fault.response.ending)
        self._carry(connection, connection.client, _head(f"HTTP/1.1 {reply.status} {reply.reason}", headers))
        length = len(body.getbuffer())
        for chunk in self._chunks(length, fault.response, fault.corrupt_response, fault.delay, body.read):
            self._carry(connection, connection.client, chunk)

    def _chunks(
        self, length: int, broken: Break | None, corrupted: int | None, delay: float, read: Callable[[int], bytes]
    ) -> Iterator[bytes]:
        """The chunks of a body of ``length`` bytes, up to where it breaks."""
        end = length if broken is None or broken.after is None else min(length, broken.after)
        for start in range(0, end, _CHUNK):
            chunk = bytearray(read(min(_CHUNK, end - start)))
            if len(chunk) < min(_CHUNK, end - start):
                raise ConnectionError("the client went away")
            if corrupted is not None and start <= corrupted < start + len(chunk):
                chunk[corrupted - start] ^= 1
            if delay:
                self._released.wait(delay)
            yield bytes(chunk)
        if broken is not None and broken.after is not None and broken.after <= length:
            self._break(broken.ending)


class _Connection:
    """A client's connection, and that to the registry which belongs to it; ``carried`` counts bytes both ways."""

    def __init__(self, client: socket.socket, server: socket.socket | None = None) -> None:
        self.client, self.server = client, server
        self.carried = 0

    def end(self, *, reset: bool) -> None:
        """Shut both sides down; they are closed once no thread uses them."""
        for side in (self.client, self.server):
            if side is not None:
                if reset:
                    reset_when_closed(side)
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)


def _unread(sock: socket.socket) -> int:
    """How many bytes lie in the receive buffer of the other side, a process of this machine (proc(5), net/tcp)."""
    ports = [sock.getpeername()[1], sock.getsockname()[1]]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if [int(address.partition(":")[2], 16) for address in (local, remote)] == ports:
            return int(queues.partition(":")[2], 16)
    return 0


def _head(first: str, headers: list[tuple[str, str]]) -> bytes:
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")


def _read(file: io.BufferedReader, count: int) -> None:
    if len(file.read(count)) < count:
        raise ConnectionError("the client went away")


def _drain(client: socket.socket) -> None:
    """Read what is still under way: otherwise closing would send a RST, and the client might miss the answer."""
    client.settimeout(1)
    with contextlib.suppress(OSError):
        while client.recv(65536):
            pass


@contextlib.contextmanager
def faulty_line(
    upstream: str, *faults: Fault, limit: int = 0, ending: Ending = RESET, once_read: bool = False
) -> Iterator[FaultyLine]:
    """A line to the registry at ``host:port``. Each connection breaks after ``limit`` bytes, both ways together, in
    the way of ``ending``; 0 is no limit. With ``once_read`` it breaks once the registry has read what was sent: a reset
    destroys what it has not."""
    line = FaultyLine(upstream, list(faults), limit, ending, once_read=once_read)
    line.start()
    try:
        yield line
    finally:
        line.stop()

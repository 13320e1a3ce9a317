# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 server over bare sockets whose every answer can be scripted: cut, reset, stalled, given too early."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

from tests.parts.faulty_line import CLOSE, RESET, STALL, Break, Ending
from tests.parts.listener import Listener, reset_when_closed
from tests.parts.service import LOOPBACK


@dataclass
class Request:
    """One request as it came. ``body`` grows as it is read; ``connection`` counts connections from 1."""

    method: str
    target: str
    headers: http.client.HTTPMessage
    connection: int
    file: io.BufferedReader = field(repr=False)
    body: bytearray = field(default_factory=bytearray, repr=False)
    #: Whether the body was read to its end.
    whole: bool = False

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def length(self) -> int:
        return int(self.headers.get("Content-Length") or 0)

    @property
    def chunked(self) -> bool:
        return (self.headers.get("Transfer-Encoding") or "").lower() == "chunked"

    @property
    def authorization(self) -> str:
        return self.headers.get("Authorization") or ""

    def read(self, limit: int | None = None) -> bytes:
        """Read ``limit`` bytes of the body, or the rest of it; one that comes in chunks is always read whole."""
        if self.chunked:
            return self._read_chunks()
        left = self.length - len(self.body)
        left = left if limit is None else min(left, limit)
        while left:
            piece = self.file.read(min(left, 1 << 16))
            if not piece:
                raise ConnectionError("the client went away")
            self.body += piece
            left -= len(piece)
        self.whole = len(self.body) == self.length
        return bytes(self.body)

    def _read_chunks(self) -> bytes:
        while not self.whole:
            size = int(self.file.readline(1000).partition(b";")[0], 16)
            piece = self.file.read(size)
            if len(piece) != size or not self.file.readline(1000).endswith(b"\n"):
                raise ConnectionError("the client went away")
            self.body += piece
            self.whole = not size
        return bytes(self.body)


@dataclass
class Answer:
    """What to say. ``say_length`` is the Content-Length to announce where it is not the body's.

    ``broken`` breaks the connection in the answer, as on a :mod:`faulty line <tests.parts.faulty_line>`; a stall ends
    with the double. ``early`` answers before the request's body was read and closes, with ``linger`` not until it has
    read on for a while; ``chunked`` sends chunks; ``reason`` is the reason phrase where it is not the usual one;
    ``raw`` replaces the whole answer, and the connection is closed after it or broken by ``broken``.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    more: list[tuple[str, str]] = field(default_factory=list)
    say_length: int | None = None
    broken: Break | None = None
    early: bool = False
    linger: bool = False
    chunked: bool = False
    close: bool = False
    reason: str = ""
    raw: bytes | None = None


Handler = Callable[[Request], "Answer | None"]


class _Broken(Exception):
    """The connection ends now; its argument is the :data:`~tests.parts.faulty_line.Ending`."""


@dataclass
class _Rule:
    method: str
    fragment: str
    answers: list[Answer | Handler]
    always: bool

    def take(self, request: Request) -> Answer | Handler | None:
        if (self.method and request.method != self.method) or self.fragment not in request.target or not self.answers:
            return None
        return self.answers[0] if self.always else self.answers.pop(0)


class Double:
    """``default`` answers what no rule takes. ``requests`` holds everything that came, in order. ``port`` 0 is a free
    one, ``host`` empty is every address; a connection on which nothing comes for ``idle`` seconds is closed."""

    def __init__(
        self,
        default: Handler | None = None,
        tls: ssl.SSLContext | None = None,
        *,
        port: int = 0,
        host: str = LOOPBACK,
        idle: float | None = None,
    ) -> None:
        self.default = default or (lambda _: Answer(404))
        self.requests: list[Request] = []
        #: Set to end every stall and delay; the end of the double sets it too.
        self.released = threading.Event()
        #: Seconds that every answer takes.
        self.delay = 0.0
        self._tls = tls
        self._idle = idle
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._listener = Listener(self._serve, port=port, host=host)
        self.port = self._listener.port
        self.address = self._listener.address
        self.url = f"{'https' if tls else 'http'}://{self.address}"
        self._listener.start()

    @property
    def connections(self) -> int:
        """How many connections clients have opened."""
        return self._listener.count

    def on(self, method: str, fragment: str, *answers: Answer | Handler) -> Double:
        """Answer the next requests of ``method`` whose target holds ``fragment``, one each; a handler that gives
        ``None`` leaves it to the default. The newest rule is asked first."""
        self._rules.insert(0, _Rule(method, fragment, list(answers), False))
        return self

    def always(self, method: str, fragment: str, answer: Answer | Handler) -> Double:
        self._rules.insert(0, _Rule(method, fragment, [answer], True))
        return self

    def seen(self, method: str = "", fragment: str = "") -> list[Request]:
        with self._lock:
            return [r for r in self.requests if (not method or r.method == method) and fragment in r.target]

    def count(self, method: str = "", fragment: str = "") -> int:
        return len(self.seen(method, fragment))

    def stop(self) -> None:
        """End all stalls and connections."""
        self.released.set()
        self._listener.stop()

    def hang_up(self) -> None:
        """Close every open connection, as a server does with idle ones after a while."""
        self._listener.hang_up()

    def _serve(self, connection: socket.socket, number: int) -> None:
        # OSError and ValueError: the client went away or does not speak HTTP, which tests do on purpose.
        with contextlib.suppress(OSError, ValueError):
            if self._tls is not None:
                connection.settimeout(20)
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.settimeout(self._idle)
            with self._listener.open(connection), connection.makefile("rb") as file:
                try:
                    while self._exchange(connection, file, number):
                        pass
                except _Broken as broken:
                    if broken.args == (RESET,):
                        reset_when_closed(connection)

    def _exchange(self, sock: socket.socket, file: io.BufferedReader, number: int) -> bool:
        """Answer one request; tell whether the connection stays open."""
        if file.peek(1)[:1] == b"\x16":
            sock.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nthis is no request")  # but a TLS client's hello
            return False
        line = file.readline(65537).decode("latin-1").split()
        if len(line) != 3:
            return False
        request = Request(line[0], line[1], http.client.parse_headers(file), number, file)
        with self._lock:
            self.requests.append(request)
            scripted = next((a for a in (rule.take(request) for rule in self._rules) if a is not None), None)
        if self.delay:
            self.released.wait(self.delay)
        answer = scripted if isinstance(scripted, Answer) or scripted is None else scripted(request)
        if answer is None:
            answer = self.default(request) or Answer(404)
        if not answer.early:
            request.read()
        self._say(sock, request, answer)
        if answer.linger and not request.whole:
            sock.settimeout(5)
            request.read()
        return not (answer.close or answer.early)

    def _say(self, sock: socket.socket, request: Request, answer: Answer) -> None:
        broken = answer.broken
        if answer.raw is not None:
            sock.sendall(answer.raw)
            self._break(CLOSE if broken is None else broken.ending)
        if broken is not None and broken.after is None:
            self._break(broken.ending)
        body = b"" if request.method == "HEAD" or answer.status == 204 else answer.body
        length = len(answer.body) if answer.say_length is None else answer.say_length
        usual = HTTPStatus(answer.status).phrase if answer.status in HTTPStatus._value2member_map_ else "Odd"
        reason = answer.reason or usual
        lines = [f"HTTP/1.1 {answer.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in (*answer.headers.items(), *answer.more)]
        if answer.chunked:
            lines.append("Transfer-Encoding: chunked")
            pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        elif answer.status != 204 and "Content-Length" not in answer.headers:
            lines.append(f"Content-Length: {length}")
        if answer.close or answer.early:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if broken is not None and request.method != "HEAD":
            sock.sendall(head + body[: broken.after])
            self._break(broken.ending)
        sock.sendall(head + body)

    def _break(self, ending: Ending) -> NoReturn:
        if ending == STALL:
            self.released.wait(60)
        raise _Broken(ending)


@contextlib.contextmanager
def double(default: Handler | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[Double]:
    """A :class:`Double` that ends with the block."""
    server = Double(default, tls)
    try:
        yield server
    finally:
        server.stop()

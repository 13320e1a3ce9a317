# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over kept connections, for small requests and for blob bodies alike (ADR 0002).

``http.client`` gives the two things that decide speed: ``readinto`` a caller's buffer on the way in, and
the bare socket for ``sendfile`` on the way out. On top of it this module adds one pool of connections,
one TLS context per trust setting, proxies, and the translation of failures. It knows no credentials.
"""

from __future__ import annotations

import http.client
import os
import select
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Mapping

from airgap import __version__
from airgap.errors import AirgapError, Interrupted, Unavailable
from airgap.records import Record, field
from airgap.registry.http import errors as faults
from airgap.registry.http import proxy, retry
from airgap.registry.http.body import Body
from airgap.registry.http.connect import Dialer, Peer, Trust, break_off
from airgap.registry.http.errors import Transient
from airgap.registry.settings import COMMIT, TIMEOUT

#: Small answers are read whole up to here; a registry has no reason to send more.
MAX_BODY = 32 * 1024 * 1024

Headers = http.client.HTTPMessage


class Response(Record, frozen=False):
    """A small answer, read whole. ``url`` is where it came from, after redirects."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    url: str

    def fault(self) -> AirgapError:
        """The error that this answer is."""
        after = retry.retry_after(self.headers.get("Retry-After"))
        return faults.of_response(self.status, self.reason, self.body, self.url, now_retry=after)


class Stream(Record, frozen=False, eq=False):
    """An answer whose body is still to be read with ``readinto``. ``finish`` gives the connection back."""

    response: http.client.HTTPResponse
    url: str
    _lease: _Lease
    _body: Body = field(init=False)

    def __post_init__(self) -> None:
        self._body = Body(self.response)

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Headers:
        return self.response.headers

    def readinto(self, buffer: memoryview) -> int:
        """Bytes read, 0 at the end of what the server sends; raises the translated error when the line breaks."""
        try:
            return self._body.readinto(buffer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._lease.drop()
            raise self._lease.translate(error) from error

    def small(self) -> Response:
        """Read the rest as a small answer."""
        return self._lease.read(self.response, self.url)

    def finish(self) -> None:
        """Keep the connection if the body was read to its end, close it otherwise."""
        self._lease.finish(self.response)


class _Lease(Record, frozen=False, eq=False):
    """One connection while one exchange uses it."""

    transport: Transport
    key: Peer
    through: proxy.Proxy | None
    connection: http.client.HTTPConnection
    url: str
    reused: bool
    #: Carries this one exchange and is closed then.
    alone: bool = False

    def translate(self, error: BaseException) -> AirgapError:
        if self.transport.aborted:
            return Interrupted("stopped")
        if isinstance(error, ssl.SSLCertVerificationError):
            return faults.of_certificate(error, self.url, self.transport.certificate(self.key, self.through))
        return faults.of_exception(error, self.url, known=self.transport.has_answered(self.key))

    def drop(self) -> None:
        self.connection.close()

    def finish(self, response: http.client.HTTPResponse) -> None:
        kept = response.isclosed() and not response.will_close and not self.alone
        if kept and self.connection.sock is not None:
            self.transport.give_back(self)
        else:
            self.drop()

    def read(self, response: http.client.HTTPResponse, url: str) -> Response:
        try:
            body = response.read(MAX_BODY + 1)
            if len(body) <= MAX_BODY:
                if response.length:
                    raise http.client.IncompleteRead(body, response.length)  # http.client itself is silent here
                response.read(0)  # notices the end of a chunked body, so that the connection can be kept
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.drop()
            raise self.translate(error) from error
        if len(body) > MAX_BODY:
            self.drop()
            raise Unavailable("the answer is absurdly long", where=faults.public_url(url))
        self.finish(response)
        return Response(response.status, response.reason, response.headers, body, url)


class Transport(Record, frozen=False, eq=False):
    """Thread-safe. ``environment`` is where proxies are looked up."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _idle: dict[Peer, list[http.client.HTTPConnection]] = field(default_factory=dict)
    _dialer: Dialer = field(default_factory=Dialer)
    _answered: set[Peer] = field(default_factory=set)
    _live: weakref.WeakSet[http.client.HTTPConnection] = field(default_factory=weakref.WeakSet)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    aborted: bool = False

    def exchange(
        self,
        method: str,
        url: str,
        trust: Trust,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float = TIMEOUT,
    ) -> Stream:
        """Send a small request and return the answer with its body unread; ``timeout`` is in seconds.

        Raises :class:`~airgap.registry.http.errors.Transient` for what may heal, :class:`Unavailable` otherwise.
        """

        def send(connection: http.client.HTTPConnection, target: str, extra: Mapping[str, str]) -> None:
            connection.request(method, target, body=body, headers={**_BASE, **headers, **extra})

        return self._exchange(url, trust, send, repeatable=True, timeout=timeout)

    def upload(
        self,
        method: str,
        url: str,
        trust: Trust,
        headers: Mapping[str, str],
        length: int,
        feed: Callable[[socket.socket], None],
        timeout: float = TIMEOUT,
        *,
        alone: bool = False,
    ) -> Response:
        """Send a request whose ``length`` bytes of body ``feed`` writes to the socket itself; ``alone`` takes a
        connection for it that carries nothing else.

        A server may answer and close before it has read everything (RFC 9112, 9.6): after a broken pipe or a
        reset its answer is still looked for, since it says why.
        """

        def send(connection: http.client.HTTPConnection, target: str, extra: Mapping[str, str]) -> None:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in {**_BASE, **headers, **extra, "Content-Length": str(length)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            try:
                feed(connection.sock)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError) as error:
                try:
                    connection.sock.settimeout(5)
                    early = connection.getresponse()
                except (OSError, http.client.HTTPException):
                    raise error from None
                if early.status < 400:
                    raise
                early.will_close = True  # half a body lies in this connection
                raise _Early(early) from None
            connection.sock.settimeout(timeout * COMMIT)

        # A feed has moved its reader on: whoever opened it must begin again.
        stream = self._exchange(url, trust, send, repeatable=False, timeout=timeout, alone=alone)
        try:
            return stream.small()
        except Transient:
            if stream.status < 400:
                raise
            return Response(stream.status, stream.response.reason, stream.headers, b"", url)

    def abort(self) -> None:
        """Break every connection, so that threads blocked in them return at once."""
        self.aborted = True
        self._dialer.abort()
        with self._lock:
            socks = [connection.sock for connection in self._live]
        for sock in socks:
            if sock is not None:
                break_off(sock)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            connections = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in connections:
            connection.close()

    def has_answered(self, key: Peer) -> bool:
        """Whether this host has ever answered in this run: only then is a refused connection likely to heal."""
        return key in self._answered

    def certificate(self, key: Peer, through: proxy.Proxy | None) -> str:
        """What the server shows, for the error that it is not trusted."""
        return self._dialer.certificate(key, through)

    def give_back(self, lease: _Lease) -> None:
        with self._lock:
            self._idle.setdefault(lease.key, []).append(lease.connection)

    def _exchange(
        self,
        url: str,
        trust: Trust,
        send: Callable[[http.client.HTTPConnection, str, Mapping[str, str]], None],
        *,
        repeatable: bool,
        timeout: float,
        alone: bool = False,
    ) -> Stream:
        while True:
            lease, target, extra = self._lease(url, trust, alone)
            try:
                if lease.connection.sock is None:
                    lease.connection.connect()
                if self.aborted:
                    raise Interrupted("stopped")
                lease.connection.sock.settimeout(timeout)
                try:
                    send(lease.connection, target, extra)
                    if not lease.reused and lease.key.scheme == "http":
                        _check_greeting(lease.connection.sock)
                    response = lease.connection.getresponse()
                except _Early as early:
                    response = early.response
            except (OSError, http.client.HTTPException, ValueError) as error:
                lease.drop()
                if lease.reused and repeatable and isinstance(error, ConnectionError) and not self.aborted:
                    continue  # the server had closed a kept connection meanwhile: not a failure, take another
                raise lease.translate(error) from error
            except BaseException:
                lease.drop()
                raise
            self._answered.add(lease.key)
            return Stream(response, url, lease)

    def _lease(self, url: str, trust: Trust, alone: bool) -> tuple[_Lease, str, Mapping[str, str]]:
        if self.aborted:
            raise Interrupted("stopped")
        parts = faults.split(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unavailable("this is no http or https address", where=faults.public_url(url))
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        key = Peer(parts.scheme, parts.hostname, port, trust if secure else Trust())
        through = proxy.for_url(url, self.environment)
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        extra: dict[str, str] = {}
        if through and not secure:
            target = f"http://{parts.netloc.rpartition('@')[2]}{target}"
            extra = through.headers
        while True:
            with self._lock:
                idle = None if alone else self._idle.get(key)
                kept = idle.pop() if idle else None
            if kept is None:
                break
            if _is_quiet(kept):
                return _Lease(self, key, through, kept, url, reused=True), target, extra
            kept.close()
        connection = self._dialer.connection(key, through)
        with self._lock:
            self._live.add(connection)
        return _Lease(self, key, through, connection, url, reused=False, alone=alone), target, extra


def _is_quiet(connection: http.client.HTTPConnection) -> bool:
    """Whether a kept connection is still open: one that can be read before it is asked anything was closed."""
    if connection.sock is None:
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


def _check_greeting(sock: socket.socket) -> None:
    # A server that speaks TLS answers plain HTTP with a few bytes that no line end follows, and may wait then:
    # http.client would wait for the end of that line.
    begin = sock.recv(5, socket.MSG_PEEK)
    if not b"HTTP/".startswith(begin):
        raise http.client.BadStatusLine(repr(begin))


class _Early(Exception):
    """The server answered before the body was sent."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response


# Bodies must arrive as they are: a decoded body would not hash to its digest.
_BASE = {"User-Agent": f"airgap/{__version__}", "Accept-Encoding": "identity"}

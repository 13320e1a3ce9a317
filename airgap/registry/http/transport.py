# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over persistent connections, for small requests and for blob bodies (ADR 0002).

``http.client`` has the two operations that decide the speed: it reads into a buffer of the caller, and gives access to
the socket for ``sendfile``. This module adds a pool of connections, one TLS context for each trust setting, proxies,
and the translation of failures. It knows no credentials.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping

from airgap import __version__, limits
from airgap.errors import AirgapError, Interrupted, RegistryError, Unavailable
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.registry.http import connect, errors
from airgap.registry.http.addresses import AddressRule
from airgap.registry.http.body import ResponseBody, read_into_memory
from airgap.registry.http.certificate_errors import untrusted_certificate
from airgap.registry.http.connect import ConnectionKey, Connector, EarlyResponse, Trust, shut_down
from airgap.registry.http.errors import Transient
from airgap.registry.http.masking import Secrets
from airgap.registry.http.pace import Patience, waiting
from airgap.registry.http.proxy import Proxy, proxy_for_url
from airgap.registry.http.rate import RateLimit
from airgap.registry.http.retry import parse_retry_after
from airgap.registry.settings import COMMIT_FACTOR, TIMEOUT

Headers = http.client.HTTPMessage


class Response(Record, frozen=False):
    """A response with its body in memory. ``url`` is the one that answered, after redirects."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    url: str

    def error(self) -> AirgapError:
        """Return the error that this response stands for."""
        retry_after = parse_retry_after(self.headers.get("Retry-After"))
        return errors.from_response(self.status, self.reason, self.body, self.url, retry_after=retry_after)


class StreamedResponse(Record, frozen=False, eq=False):
    """A response with its body still to be read. Call :meth:`release` or :meth:`read` at the end."""

    response: http.client.HTTPResponse
    url: str
    _lease: _Lease
    _body: ResponseBody = field(init=False)

    def __post_init__(self) -> None:
        self._body = ResponseBody(self.response, self._lease.transport.rate)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def peer(self) -> str:
        """The address of the server that has answered, empty behind a proxy."""
        return self._lease.peer

    @property
    def headers(self) -> Headers:
        """The response headers."""
        return self.response.headers

    def readinto(self, buffer: memoryview) -> int:
        """Return the number of bytes read, 0 at the end; raise the translated error if the connection breaks."""
        try:
            return self._body.readinto(buffer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._lease.drop()
            raise self._lease.translate(error) from error

    def read(self, limit: str = "") -> Response:
        """Read the rest of the body into memory and release the connection.

        ``limit`` is the name of the limit for its bytes. Without one, and for a status from 300 on, the body only
        explains the status: what exceeds ``error-bytes`` is not read. Raises :class:`RegistryError` past ``limit``.
        """
        return self._lease.read(self.response, self.url, limit if self.status < 300 else "")

    def release(self) -> None:
        """Return the connection to the pool if the body was read to its end; close it otherwise."""
        self._lease.release(self.response)


class _Lease(Record, frozen=False, eq=False):
    """A connection while one request uses it."""

    transport: Transport
    key: ConnectionKey
    proxy: Proxy | None
    connection: http.client.HTTPConnection
    url: str
    reused: bool
    #: Whether the connection is closed after this request.
    dedicated: bool = False
    #: The address of the server, empty behind a proxy.
    peer: str = ""

    def note_peer(self) -> None:
        if self.proxy is None:
            self.peer = str(self.connection.sock.getpeername()[0])

    def translate(self, error: BaseException) -> AirgapError:
        if self.transport.aborted:
            return Interrupted(tr("stopped"))
        if isinstance(error, ssl.SSLCertVerificationError):
            return untrusted_certificate(error, self.url, self.transport.certificate(self.key, self.proxy))
        if str(error).startswith("Tunnel connection failed"):  # with the reason of the proxy
            error = OSError(self.transport.secrets.mask(str(error).encode()).decode())
        return errors.from_exception(error, self.url, answered_before=self.transport.has_answered(self.key))

    def drop(self, response: http.client.HTTPResponse | None = None) -> None:
        self.connection.close()
        (response or self.connection).close()  # one that is read to the connection's end keeps the socket open

    def release(self, response: http.client.HTTPResponse) -> None:
        reusable = response.isclosed() and not response.will_close and not self.dedicated
        if reusable and self.connection.sock is not None:
            self.transport.return_to_pool(self)
        else:
            self.drop(response)

    def read(self, response: http.client.HTTPResponse, url: str, limit: str) -> Response:
        most = limits.value(limit or "error-bytes")
        try:
            body, is_whole = read_into_memory(response, most)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.drop(response)
            raise self.translate(error) from error
        if is_whole:
            self.release(response)
        else:
            self.drop(response)
        if limit and not is_whole:
            what, where = tr("the answer has more than {most:,} bytes", most=most), errors.public_url(url)
            raise RegistryError(what, where=where, hint=limits.hint(limit))
        if self.transport.rate:
            self.transport.rate.wait(len(body))
        if response.status < 300:
            return Response(response.status, response.reason, response.headers, body, url)
        mask = self.transport.secrets.mask
        reason = mask(response.reason.encode()).decode()
        return Response(response.status, reason, response.headers, mask(body), url)


class Transport(Record, frozen=False, eq=False):
    """A pool of connections. Thread-safe. The proxies are those of ``environment``.

    ``rate`` limits the bodies of responses; who writes that of a request keeps to it there. ``requests`` were sent.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    rate: RateLimit | None = None
    secrets: Secrets = field(default_factory=Secrets)
    _idle: dict[ConnectionKey, list[http.client.HTTPConnection]] = field(default_factory=dict)
    _connector: Connector = field(default_factory=Connector)
    _answered: set[ConnectionKey] = field(default_factory=set)
    _connections: weakref.WeakSet[http.client.HTTPConnection] = field(default_factory=weakref.WeakSet)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    aborted: bool = False
    requests: int = 0

    def request(
        self, method: str, url: str, trust: Trust, headers: Mapping[str, str], body: bytes | None = None,
        timeout: float = TIMEOUT, rule: AddressRule | None = None, patience: Patience = Patience.BODY,
    ) -> StreamedResponse:  # fmt: skip
        """Send a small request and return the response with its body unread; ``timeout`` is in seconds.

        ``rule`` says which addresses the host may have; :class:`~airgap.registry.http.errors.RefusedAddress` otherwise.
        Raises :class:`~airgap.registry.http.errors.Transient` for what may be retried, :class:`Unavailable` otherwise.
        """

        def send(connection: http.client.HTTPConnection, target: str, extra: Mapping[str, str]) -> None:
            connection.request(method, target, body=body, headers={**_COMMON_HEADERS, **headers, **extra})

        return self._exchange(url, trust, send, repeatable=True, timeout=timeout, rule=rule, patience=patience)

    def upload(
        self,
        method: str,
        url: str,
        trust: Trust,
        headers: Mapping[str, str],
        length: int,
        write_body: Callable[[socket.socket], None],
        timeout: float = TIMEOUT,
        *,
        dedicated: bool = False,
    ) -> Response:
        """Send a request with a body of ``length`` bytes that ``write_body`` writes to the socket.

        ``dedicated`` opens a connection for this request only. A server may respond and close the connection before it
        has read the whole body (RFC 9112, 9.6). So after a broken pipe or a reset its response is still read, since it
        tells the reason.
        """

        def send(connection: http.client.HTTPConnection, target: str, extra: Mapping[str, str]) -> None:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in {**_COMMON_HEADERS, **headers, **extra, "Content-Length": str(length)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            try:
                write_body(connection.sock)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError) as error:
                try:
                    connection.sock.settimeout(5)
                    response = connection.getresponse()
                except (OSError, http.client.HTTPException):
                    raise error from None
                if response.status < 400:
                    raise
                response.will_close = True  # a part of the body was sent over this connection
                raise EarlyResponse(response) from None
            connection.sock.settimeout(timeout * COMMIT_FACTOR)

        # The body cannot be written a second time here: only the caller can open its reader again.
        stream = self._exchange(url, trust, send, repeatable=False, timeout=timeout, dedicated=dedicated)
        try:
            return stream.read()
        except Transient:
            if stream.status < 400:
                raise
            reason = self.secrets.mask(stream.response.reason.encode()).decode()
            return Response(stream.status, reason, stream.headers, b"", url)

    def abort(self) -> None:
        """Shut down every connection, so that threads blocked in them return at once."""
        self.aborted = True
        self._connector.abort()
        with self._lock:
            sockets = [connection.sock for connection in self._connections if connection.sock is not None]
        for sock in sockets:
            shut_down(sock)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            connections = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in connections:
            connection.close()

    def has_answered(self, key: ConnectionKey) -> bool:
        """Whether this host has answered in this run. Only then is a refused connection worth a retry."""
        return key in self._answered

    def certificate(self, key: ConnectionKey, proxy: Proxy | None) -> str:
        """Return the certificate of the server as PEM, or an empty string."""
        return self._connector.certificate(key, proxy)

    def return_to_pool(self, lease: _Lease) -> None:
        """Keep the connection of ``lease`` for another request."""
        with self._lock:
            self._idle.setdefault(lease.key, []).append(lease.connection)

    def _exchange(
        self, url: str, trust: Trust, send: Callable[[http.client.HTTPConnection, str, Mapping[str, str]], None],
        *, repeatable: bool, timeout: float, dedicated: bool = False, rule: AddressRule | None = None,
        patience: Patience = Patience.BODY,
    ) -> StreamedResponse:  # fmt: skip
        started = time.monotonic()
        while True:
            lease, target, extra = self._lease(url, trust, dedicated, rule)
            with self._lock:
                self.requests += 1
            try:
                if lease.connection.sock is None:
                    lease.connection.connect()
                if self.aborted:
                    raise Interrupted(tr("stopped"))
                lease.note_peer()
                try:
                    with waiting(lease.connection, timeout, patience, started):
                        send(lease.connection, target, extra)
                        if not lease.reused and lease.key.scheme == "http":
                            connect.check_first_bytes(lease.connection.sock)
                        response = lease.connection.getresponse()
                except EarlyResponse as early:
                    response = early.response
            except (OSError, http.client.HTTPException, ValueError) as error:
                lease.drop()
                if lease.reused and repeatable and isinstance(error, ConnectionError) and not self.aborted:
                    continue  # the server has closed an idle connection, which is not a failure: take another
                raise lease.translate(error) from error
            except BaseException:
                lease.drop()
                raise
            self._answered.add(lease.key)
            self.secrets.mask_headers(response.headers, url)
            return StreamedResponse(response, url, lease)

    def _lease(
        self, url: str, trust: Trust, dedicated: bool, rule: AddressRule | None
    ) -> tuple[_Lease, str, Mapping[str, str]]:
        """Return a connection for ``url``, the target of its request line, and headers for a proxy."""
        if self.aborted:
            raise Interrupted(tr("stopped"))
        parts = errors.split_url(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unavailable(tr("this is no http or https address"), where=errors.public_url(url))
        secure, port = parts.scheme == "https", parts.port or (443 if parts.scheme == "https" else 80)
        key = ConnectionKey(parts.scheme, parts.hostname, port, trust if secure else Trust(), rule)
        url_proxy = proxy_for_url(url, self.environment)
        if url_proxy:
            self.secrets.add_header(url_proxy.headers.get("Proxy-Authorization", ""))
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        extra: dict[str, str] = {}
        if url_proxy and not secure:
            target = f"http://{parts.netloc.rpartition('@')[2]}{target}"
            extra = url_proxy.headers
        connection = None if dedicated else self._take_idle(key)
        reused = connection is not None
        if connection is None:
            connection = self._connector.connection(key, url_proxy)
            with self._lock:
                self._connections.add(connection)
        return _Lease(self, key, url_proxy, connection, url, reused, dedicated), target, extra

    def _take_idle(self, key: ConnectionKey) -> http.client.HTTPConnection | None:
        """Return an idle connection that is still open, or ``None``."""
        while True:
            with self._lock:
                connection = idle.pop() if (idle := self._idle.get(key)) else None
            if connection is None or connect.is_open(connection):
                return connection
            connection.close()


# A body must arrive unchanged: a decoded one would not match its digest.
_COMMON_HEADERS = {"User-Agent": f"airgap/{__version__}", "Accept-Encoding": "identity"}

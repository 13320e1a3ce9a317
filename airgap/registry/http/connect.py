# SPDX-License-Identifier: Apache-2.0
"""Making connections: directly or through a proxy, with or without TLS. All of them can be aborted.
And what a connection shows without a request."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
import ssl
import threading
from typing import Any, NamedTuple

from airgap.errors import AirgapError, Interrupted, UsageError
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.registry.http.addresses import AddressRule, ForbiddenAddress
from airgap.registry.http.errors import proxy_unreachable
from airgap.registry.http.pace import PacedResponse
from airgap.registry.http.proxy import Proxy
from airgap.tls_socket import TlsSocket

#: Seconds.
CONNECT_TIMEOUT = 20.0
_CERTIFICATE_TIMEOUT = 5.0
#: The certificates of the system: on Debian, Ubuntu and Alpine; on RHEL, old and new; on SUSE; on older Alpine, macOS.
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class Trust(Record):
    """Which certificates are trusted: those of the system and of ``ca_file``, or with ``insecure`` all.

    The other fields are for requests in the place of another machine, and hold PEM: ``roots`` replace the system's
    certificates, ``extra`` are trusted too, and ``client`` is the certificate and key to show to the server.
    """

    ca_file: str = ""
    insecure: bool = False
    roots: str = field(default="", repr=False)
    extra: str = field(default="", repr=False)
    client: str = field(default="", repr=False)


class ConnectionKey(NamedTuple):
    """Two connections with the same key are interchangeable."""

    scheme: str
    host: str
    port: int
    trust: Trust
    #: Set for a host that a registry has named: which addresses it may have.
    rule: AddressRule | None = None


class EarlyResponse(Exception):
    """The server responded before the whole body was sent."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response


class Connector(Record, frozen=False, eq=False):
    """Makes connections. Thread-safe."""

    aborted: bool = False
    _connecting: set[socket.socket] = field(default_factory=set)
    _contexts: dict[Trust, ssl.SSLContext] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connection(
        self, key: ConnectionKey, proxy: Proxy | None, timeout: float = CONNECT_TIMEOUT
    ) -> http.client.HTTPConnection:
        """Return a connection that is not connected yet; ``timeout`` is in seconds.

        Its ``connect`` raises what sockets raise, and :class:`Unavailable` if the proxy cannot be reached.
        """
        host, port = (proxy.host, proxy.port) if proxy else (key.host, key.port)
        connection: http.client.HTTPConnection
        if key.scheme == "http":
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
            connection.response_class = PacedResponse
        else:
            connection = _TlsConnection(host, port, timeout=timeout, context=self._context(key.trust))
            connection.server_hostname = key.host
            if proxy:
                connection.set_tunnel(key.host, key.port, headers=proxy.headers)

        def create_socket(address: tuple[str, int], timeout: float, source: object = None) -> socket.socket:
            try:
                if key.rule is not None:
                    key.rule.check(key.host)  # a proxy resolves names itself
                return self._connect(address, timeout, None if proxy else key.rule)
            except ForbiddenAddress:
                raise
            except OSError as error:
                if proxy is None or self.aborted:
                    raise
                raise proxy_unreachable(error, host, port) from error

        # http.client makes its sockets with this function. Ours can also be aborted while they are connecting.
        connection._create_connection = create_socket  # type: ignore[attr-defined] # not in the stubs
        return connection

    def certificate(self, key: ConnectionKey, proxy: Proxy | None) -> str:
        """Return the certificate of a server as PEM, or an empty string if that fails.

        It is read over a separate connection that accepts any certificate and sends no request.
        """
        connection = self.connection(key._replace(trust=Trust(insecure=True)), proxy, _CERTIFICATE_TIMEOUT)
        try:
            connection.connect()
            assert isinstance(connection.sock, ssl.SSLSocket)
            return ssl.DER_cert_to_PEM_cert(connection.sock.getpeercert(True) or b"")
        except (OSError, http.client.HTTPException, AirgapError):
            return ""
        finally:
            connection.close()

    def abort(self) -> None:
        """Abort the connections that are being made, and make no new ones."""
        self.aborted = True
        with self._lock:
            sockets = list(self._connecting)
        for sock in sockets:
            shut_down(sock)

    def _connect(self, address: tuple[str, int], timeout: float, rule: AddressRule | None) -> socket.socket:
        last_error: OSError | None = None
        for family, kind, protocol, _, socket_address in socket.getaddrinfo(*address, 0, socket.SOCK_STREAM):
            try:
                if rule is not None:
                    rule.check(str(socket_address[0]))
            except ForbiddenAddress as error:
                last_error = error
                continue
            sock = socket.socket(family, kind, protocol)
            with self._lock:
                self._connecting.add(sock)
            try:
                if self.aborted:
                    raise Interrupted(tr("stopped"))
                sock.settimeout(timeout)
                sock.connect(socket_address)
                return sock
            except OSError as error:
                last_error = error
                sock.close()
            except BaseException:
                sock.close()
                raise
            finally:
                with self._lock:
                    self._connecting.discard(sock)
        raise last_error or OSError(tr("the name has no address"))

    def _context(self, trust: Trust) -> ssl.SSLContext:
        # A new context reads all certificates of the system, which takes some 20 ms: make one for each Trust.
        with self._lock:
            if trust not in self._contexts:
                self._contexts[trust] = create_tls_context(trust)
            return self._contexts[trust]


class _TlsConnection(http.client.HTTPSConnection):
    """Sets ``sock`` before the TLS handshake, so that a handshake without an answer can be aborted."""

    server_hostname = ""

    def connect(self) -> None:
        # Before Python 3.12, http.client does not close the proxy's response to CONNECT, nor a refused socket.
        responses: list[http.client.HTTPResponse] = []

        def make_response(*arguments: Any, **keywords: Any) -> http.client.HTTPResponse:
            responses.append(PacedResponse(*arguments, **keywords))
            return responses[-1]

        self.response_class = make_response  # type: ignore[assignment] # called like the class
        try:
            http.client.HTTPConnection.connect(self)
        finally:
            self.response_class = PacedResponse
            for response in responses:
                response.close()
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined] # not in the stubs
        self.sock = context.wrap_socket(self.sock, server_hostname=self.server_hostname, do_handshake_on_connect=False)
        self.sock.do_handshake()


def is_open(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection is still open. If it is readable before a request, the server has closed it."""
    if connection.sock is None:
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


def check_first_bytes(sock: socket.socket) -> None:
    """Raise :class:`http.client.BadStatusLine` if a response does not begin as HTTP.

    A TLS server may answer a plain HTTP request with a few bytes and no line end, and keep the connection open.
    ``http.client`` would wait for the line end until the time-out.
    """
    first_bytes = sock.recv(5, socket.MSG_PEEK)
    if not b"HTTP/".startswith(first_bytes):
        raise http.client.BadStatusLine(repr(first_bytes))


def shut_down(sock: socket.socket) -> None:
    """Shut a socket down, so that threads blocked in it return at once."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is not connected any more


def _load_system_certificates(context: ssl.SSLContext) -> None:
    """Load the system's certificates where OpenSSL does not look for them.

    OpenSSL looks where the distribution that built it has them, which may be another one than this system.
    """
    paths = ssl.get_default_verify_paths()
    has_folder = bool(paths.capath and os.listdir(paths.capath))
    bundle = next(filter(os.path.isfile, SYSTEM_BUNDLES), None)
    if not paths.cafile and not has_folder and bundle:
        # A file that is damaged or cannot be read is one without certificates: connections then say what is untrusted.
        with contextlib.suppress(OSError, ssl.SSLError):
            context.load_verify_locations(cafile=bundle)


def _load_pem(context: ssl.SSLContext, pem: str) -> None:
    """Trust the certificates in ``pem``. Raises :class:`UsageError` if there is none that can be read."""
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(tr("cannot use the certificates: {reason}", reason=error)) from error


def _load_client_certificate(context: ssl.SSLContext, pem: str) -> None:
    """Show the client certificate and key in ``pem``; raises :class:`UsageError` if they cannot be used."""
    import tempfile

    # OpenSSL reads the pair from a file only. This one is readable by the user alone, and removed at once.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        try:
            context.load_cert_chain(file.name, password="")
        except (OSError, ssl.SSLError, ValueError) as error:
            raise UsageError(tr("cannot use the client certificate: {reason}", reason=error)) from error


def create_tls_context(trust: Trust) -> ssl.SSLContext:
    """Return the TLS context for ``trust``; raise :class:`UsageError` if its CA file cannot be used."""
    if trust.roots:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load_pem(context, trust.roots)
    else:
        context = ssl.create_default_context()
        _load_system_certificates(context)
    context.sslsocket_class = TlsSocket
    if trust.extra:
        _load_pem(context, trust.extra)
    if trust.client:
        _load_client_certificate(context, trust.client)
    if trust.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    # Nodes do not accept a name that is only in the CN of a certificate, so this program does not either.
    context.hostname_checks_common_name = False
    # Like Go programs and older Pythons, accept certificates without key identifiers, which many company authorities
    # issue, and an intermediate authority as --ca-file.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if trust.ca_file:
        try:
            context.load_verify_locations(cafile=trust.ca_file)
        except (OSError, ssl.SSLError) as error:
            reason = tr("it holds no PEM certificate") if isinstance(error, ssl.SSLError) else error.strerror
            raise UsageError(tr("cannot use the CA file: {reason}", reason=reason), where=trust.ca_file) from error
    return context

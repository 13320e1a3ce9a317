# SPDX-License-Identifier: Apache-2.0
"""Making connections: directly or through a proxy, over TLS that is trusted or not, always within reach of abort."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from typing import Any, NamedTuple

from airgap.errors import AirgapError, Interrupted, UsageError
from airgap.records import Record, field
from airgap.registry.http import errors as faults
from airgap.registry.http.proxy import Proxy

#: Seconds.
CONNECT_TIMEOUT = 20.0
_LOOK_TIMEOUT = 5.0


class Trust(Record):
    """What a TLS connection relies on: the system's authorities and ``ca_file``, or anything at all."""

    ca_file: str = ""
    insecure: bool = False


class Peer(NamedTuple):
    """What makes two connections interchangeable."""

    scheme: str
    host: str
    port: int
    trust: Trust


class Dialer(Record, frozen=False, eq=False):
    """Thread-safe. Connections are made unconnected; ``connect`` on one raises what sockets raise, and
    :class:`Unavailable` where it is the proxy that cannot be reached."""

    aborted: bool = False
    _connecting: set[socket.socket] = field(default_factory=set)
    _contexts: dict[Trust, ssl.SSLContext] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connection(
        self, peer: Peer, through: Proxy | None, timeout: float = CONNECT_TIMEOUT
    ) -> http.client.HTTPConnection:
        host, port = (through.host, through.port) if through else (peer.host, peer.port)
        made: http.client.HTTPConnection
        if peer.scheme == "http":
            made = http.client.HTTPConnection(host, port, timeout=timeout)
        else:
            made = _Secure(host, port, timeout=timeout, context=self._context(peer.trust))
            made.server = peer.host
            if through:
                made.set_tunnel(peer.host, peer.port, headers=through.headers)

        def create(address: tuple[str, int], timeout: float, source: object = None) -> socket.socket:
            try:
                return self._connect(address, timeout)
            except OSError as error:
                if through is None or self.aborted:
                    raise
                raise faults.of_proxy(error, host, port) from error

        # Where http.client gets its sockets from: one that is still connecting must be within reach too.
        made._create_connection = create  # type: ignore[attr-defined] # not in the stubs
        return made

    def certificate(self, peer: Peer, through: Proxy | None) -> str:
        """The certificate that a server shows, PEM, over a connection of its own that trusts nothing and sends
        nothing; an empty string where that fails."""
        looking = self.connection(peer._replace(trust=Trust(insecure=True)), through, _LOOK_TIMEOUT)
        try:
            looking.connect()
            assert isinstance(looking.sock, ssl.SSLSocket)
            return ssl.DER_cert_to_PEM_cert(looking.sock.getpeercert(True) or b"")
        except (OSError, http.client.HTTPException, AirgapError):
            return ""
        finally:
            looking.close()

    def abort(self) -> None:
        """Break the connections that are being made, and make none any more."""
        self.aborted = True
        with self._lock:
            socks = list(self._connecting)
        for sock in socks:
            break_off(sock)

    def _connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        failure: OSError | None = None
        for family, kind, protocol, _, where in socket.getaddrinfo(*address, 0, socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            with self._lock:
                self._connecting.add(sock)
            try:
                if self.aborted:
                    raise Interrupted("stopped")
                sock.settimeout(timeout)
                sock.connect(where)
                return sock
            except OSError as error:
                failure = error
                sock.close()
            except BaseException:
                sock.close()
                raise
            finally:
                with self._lock:
                    self._connecting.discard(sock)
        raise failure or OSError("the name has no address")

    def _context(self, trust: Trust) -> ssl.SSLContext:
        # Building one reads the system's whole certificate store, some 20 ms: once per kind of trust.
        with self._lock:
            if trust not in self._contexts:
                self._contexts[trust] = make_context(trust)
            return self._contexts[trust]


class _Secure(http.client.HTTPSConnection):
    """Has its socket at hand during the handshake too, so that a server that never answers it can be left."""

    server = ""

    def connect(self) -> None:
        # Before Python 3.12 a proxy's answer to CONNECT is left open, and a refused socket with it.
        answers: list[http.client.HTTPResponse] = []

        def answer(*arguments: Any, **named: Any) -> http.client.HTTPResponse:
            answers.append(http.client.HTTPResponse(*arguments, **named))
            return answers[-1]

        self.response_class = answer  # type: ignore[assignment] # called as the class is
        try:
            http.client.HTTPConnection.connect(self)
        finally:
            self.response_class = http.client.HTTPResponse
            for response in answers:
                response.close()
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined] # not in the stubs
        self.sock = context.wrap_socket(self.sock, server_hostname=self.server, do_handshake_on_connect=False)
        self.sock.do_handshake()


def break_off(sock: socket.socket) -> None:
    """Whoever is blocked in ``sock`` returns at once."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # already gone, which is all that is wanted


def make_context(trust: Trust) -> ssl.SSLContext:
    """The way every TLS connection of this program is checked."""
    context = ssl.create_default_context()
    if trust.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    # A name in the CN alone is read by no client that nodes have; better to fail here than there.
    context.hostname_checks_common_name = False
    # As Go's programs and older Pythons do, certificates without key identifiers are taken, which many a company's
    # authority issues; and --ca-file may name an intermediate authority, as there.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if trust.ca_file:
        try:
            context.load_verify_locations(cafile=trust.ca_file)
        except (OSError, ssl.SSLError) as error:
            reason = "it holds no PEM certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise UsageError(f"cannot use the CA file: {reason}", where=trust.ca_file) from error
    return context

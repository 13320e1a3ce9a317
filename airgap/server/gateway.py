# SPDX-License-Identifier: Apache-2.0
"""cheroot carrying the application, with bodies on the short way.

cheroot parses requests, keeps connections and threads; its own body files copy through Python and hold
whole chunks in memory, so bodies go around them: in by ``recv_into`` the taker's buffer, out by
``sendfile`` or from one reused buffer. Imported only when a server starts.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from typing import Any

from cheroot import wsgi
from cheroot.server import HTTPConnection
from cheroot.ssl.builtin import BuiltinSSLAdapter

from airgap.errors import AirgapError
from airgap.server.exchange import BrokenOff, Stream

_log = logging.getLogger("airgap.server")

#: So much of a body that nobody wants is read to keep a connection; beyond it the connection is closed.
_DISCARD = 1024 * 1024
#: A chunk's size line (RFC 9112, 7.1) and a trailer are no longer than this.
_LINE = 4096
_THREADS = 10
_PLAIN = b"""\
HTTP/1.1 400 Bad Request\r
Content-Type: text/plain\r
Content-Length: 45\r
Connection: close\r
\r
This was an HTTP request to an HTTPS server.
"""
#: Seconds for a client to notice that it need not send the rest.
_LINGER = 2.0


class Body:
    """A request's body. ``readinto`` gives 0 at its end and raises :class:`BrokenOff` if it ends early."""

    def __init__(self, connection: Any, length: int | None) -> None:
        self._file = connection.rfile
        self._socket = connection.socket
        self._chunked = length is None
        self._rest = length or 0
        self.ended = length == 0
        self._first = True

    def readinto(self, buffer: memoryview, /) -> int:
        if self._rest == 0 and not self.ended:
            self._next_chunk()
        if self.ended:
            return 0
        wanted = min(len(buffer), self._rest)
        count = self._receive(buffer[:wanted])
        self._rest -= count
        if self._rest == 0 and not self._chunked:
            self.ended = True
        return count

    def discard(self) -> bool:
        """Read what is left of the body if that is little; say whether its end was reached."""
        buffer, read = memoryview(bytearray(64 * 1024)), 0
        while not self.ended and read <= _DISCARD and (self._chunked or self._rest <= _DISCARD):
            try:
                read += self.readinto(buffer)
            except BrokenOff:
                return False
        return self.ended

    def _receive(self, buffer: memoryview) -> int:
        try:
            if self._file.has_data():  # what came with the headers
                piece = self._file.read1(len(buffer))
                buffer[: len(piece)] = piece
                return len(piece)
            count = self._socket.recv_into(buffer)
        except OSError as error:
            raise BrokenOff("the connection was lost") from error
        if count == 0:
            raise BrokenOff("the client closed the connection")
        return int(count)

    def _next_chunk(self) -> None:
        if not self._first and self._line() != b"\r\n":
            raise BrokenOff("a chunk does not end where it should")
        self._first = False
        size = self._line().partition(b";")[0].strip()
        if not size or len(size) > 15 or size.strip(b"0123456789abcdefABCDEF"):
            raise BrokenOff("a chunk without a size")
        self._rest = int(size, 16)
        if self._rest == 0:
            for _ in range(100):
                if self._line() == b"\r\n":
                    self.ended = True
                    return
            raise BrokenOff("the trailer does not end")

    def _line(self) -> bytes:
        try:
            line: bytes = self._file.readline(_LINE)
        except OSError as error:
            raise BrokenOff("the connection was lost") from error
        if not line.endswith(b"\n"):
            raise BrokenOff("the client closed the connection")
        return b"\r\n" if line in (b"\n", b"\r\n") else line


class Gateway(wsgi.Gateway_10):
    """One request from cheroot to the application and back."""

    def respond(self) -> None:
        length = None if self.req.chunked_read else int(self.req.inheaders.get(b"Content-Length", 0))
        body = self.env["wsgi.input"] = Body(self.req.conn, length)
        response = self.req.server.wsgi_app(self.env, self.start_response)
        try:
            if not body.discard():
                self.req.close_connection = True
            self.req.rfile = body  # nothing is left that cheroot could read for itself
            self.req.ensure_headers_sent()
            if isinstance(response, Stream):
                self._send(response)
            else:
                for piece in response:
                    self.req.conn.wfile.write(piece)
            if not body.ended:
                _linger(self.req.conn.socket)
        except (OSError, AirgapError) as error:
            # The head is out: all that can be said now is that the body is not whole.
            _log.info("%s: the answer broke off: %s", self.env["PATH_INFO"], error)
            self.req.close_connection = True
        finally:
            if isinstance(response, Stream):
                response.close()

    def _send(self, stream: Stream) -> None:
        sock = self.req.conn.socket
        place = None if isinstance(sock, ssl.SSLSocket) else stream.file_range()
        if place is not None:
            sent = sock.sendfile(_Fileno(place.fd), place.offset, place.length) if place.length else 0
            if sent != place.length:
                raise BrokenOff(f"the file ends {place.length - sent} bytes too early")
            return
        pieces = stream.pieces()
        while piece := pieces.view():
            sock.sendall(piece)


def _linger(sock: Any) -> None:
    """Let a client that is still sending read the answer: closing at once would reset the connection under it."""
    until, buffer = time.monotonic() + _LINGER, bytearray(256 * 1024)
    sock.shutdown(socket.SHUT_WR)
    while (rest := until - time.monotonic()) > 0:
        sock.settimeout(rest)
        if not sock.recv_into(buffer):
            return


class _Fileno:
    """The little of a file that ``socket.sendfile`` needs."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


class _Tls(BuiltinSSLAdapter):
    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        """Leave the handshake to the worker that reads first: a client that stalls in it stops nobody else."""
        wrapped = self.context.wrap_socket(sock, do_handshake_on_connect=False, server_side=True)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class _Connection(HTTPConnection):
    """Tells a client that speaks plain HTTP to a TLS server so, where cheroot would leave it waiting, and closes
    its writer before the socket under it is gone, where cheroot leaves that to the garbage collector."""

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.wfile.close()
        super().close()

    def communicate(self) -> bool:
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.version() is None:
            # The first byte of a TLS connection is a handshake record's type (RFC 8446, 5.1).
            with contextlib.suppress(OSError):
                if socket.socket.recv(self.socket, 1, socket.MSG_PEEK) not in (b"\x16", b""):
                    socket.socket.sendall(self.socket, _PLAIN)
                    socket.socket.shutdown(self.socket, socket.SHUT_WR)
                    socket.socket.recv(self.socket, 64 * 1024)
                    return False
        return bool(super().communicate())  # type: ignore[no-untyped-call] # cheroot's stubs leave it out


class HttpServer(wsgi.Server):
    """cheroot's server with this room's gateway. What clients do wrong is logged, never printed."""

    ConnectionClass = _Connection
    keep_alive_conn_limit = 256
    expiration_interval = 0.02  # as long may stop() wait for the thread that accepts

    def __init__(self, address: tuple[str, int], application: Any, tls: tuple[str, str] | None) -> None:
        super().__init__(
            address,
            application,
            numthreads=_THREADS,
            server_name="airgap",
            request_queue_size=128,
            timeout=60,
            shutdown_timeout=2,
        )
        self.gateway = Gateway
        #: Why the last attempt to listen failed: cheroot itself says it only inside a sentence.
        self.refusal: OSError | None = None
        if tls:
            self.ssl_adapter = _Tls(*tls)
            self.ssl_adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2

    def bind(self, family: Any, type: Any, proto: int = 0) -> Any:
        try:
            return super().bind(family, type, proto)
        except OSError as error:
            self.refusal = error
            raise

    @staticmethod
    def bind_socket(socket_: Any, bind_addr: Any) -> Any:
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        _log.log(logging.DEBUG if level < logging.CRITICAL else level, "%s", msg)

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            super().stop()

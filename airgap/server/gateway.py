# SPDX-License-Identifier: Apache-2.0
"""The application in cheroot, with fast bodies and connections that wait without a thread.

cheroot parses requests, makes the WSGI environment and writes response headers. Its own file objects copy bodies in
Python and hold whole chunks in memory. So this module reads request bodies with ``recv_into`` a buffer of the handler,
and sends response bodies with ``sendfile`` or from one reused buffer. ``front`` and ``workers`` replace the parts of
cheroot that give each connection a thread (ADR 0022). It is imported only when a server starts.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from typing import Any

from cheroot import wsgi
from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest
from cheroot.ssl.builtin import BuiltinSSLAdapter

from airgap import system
from airgap.errors import AirgapError
from airgap.server import head
from airgap.server.channel import Channel, RequestFile, ResponseFile
from airgap.server.exchange import BlobStream, ClientDisconnected, ClientTooSlow
from airgap.server.front import Front
from airgap.server.limits import Limits
from airgap.server.workers import WorkerPool
from airgap.tls_socket import TlsSocket

_log = logging.getLogger("airgap.server")

#: Bytes of an unread request body that are discarded to keep the connection. With more, the connection is closed.
_MAX_DISCARD = 1024 * 1024
#: Bytes of a chunk size line (RFC 9112, 7.1) or a trailer line at most.
_MAX_LINE = 4096
#: Bytes of a body that are read or sent at once where memory counts: with many workers, and for TLS.
_SMALL_BUFFER = 16 * 1024
_TLS_BUFFER = 64 * 1024


class RequestBody:
    """The body of a request: with a length, or chunked if ``length`` is ``None``."""

    def __init__(self, connection: Any, length: int | None) -> None:
        self._file = connection.rfile
        self._channel = connection.channel
        self._pool = connection.server.requests
        self._chunked = length is None
        self._remaining = length or 0
        self.ended = length == 0
        self._before_first_chunk = True

    def readinto(self, buffer: memoryview, /) -> int:
        """Return the number of bytes read, 0 at the end; raise :class:`ClientDisconnected` if the body ends early."""
        if self._remaining == 0 and not self.ended:
            self._next_chunk()
        if self.ended:
            return 0
        size = min(len(buffer), self._remaining, _SMALL_BUFFER if self._pool.is_crowded else self._remaining)
        count = self._receive(buffer[:size])
        self._remaining -= count
        if self._remaining == 0:
            self._channel.end_of_body()
            self.ended = not self._chunked
        return count

    def discard(self) -> bool:
        """Read and discard the rest of the body if it is short; return whether its end was reached."""
        buffer, read = memoryview(bytearray(64 * 1024)), 0
        while not self.ended and read <= _MAX_DISCARD and (self._chunked or self._remaining <= _MAX_DISCARD):
            try:
                read += self.readinto(buffer)
            except ClientDisconnected:
                return False
        return self.ended

    def _receive(self, buffer: memoryview) -> int:
        try:
            count: int = self._channel.receive_into(buffer, self._remaining)
        except TimeoutError as error:
            raise ClientTooSlow("the body came too slowly") from error
        except OSError as error:
            raise ClientDisconnected(f"the connection was lost: {error}") from error
        if count == 0:
            raise ClientDisconnected("the client closed the connection")
        return count

    def _next_chunk(self) -> None:
        if not self._before_first_chunk and self._read_line() != b"\r\n":
            raise ClientDisconnected("a chunk does not end where it should")
        self._before_first_chunk = False
        size = self._read_line().removesuffix(b"\r\n").partition(b";")[0].rstrip(b" \t")
        if not size or len(size) > 15 or size.strip(b"0123456789abcdefABCDEF"):
            raise ClientDisconnected("a chunk without a size")
        self._remaining = int(size, 16)
        if self._remaining == 0:
            for _ in range(100):
                if self._read_line() == b"\r\n":
                    self.ended = True
                    return
            raise ClientDisconnected("the trailer does not end")

    def _read_line(self) -> bytes:
        try:
            line: bytes = self._file.readline(_MAX_LINE)
        except TimeoutError as error:
            raise ClientTooSlow("the body came too slowly") from error
        except OSError as error:
            raise ClientDisconnected(f"the connection was lost: {error}") from error
        if not line.endswith(b"\r\n"):
            raise ClientDisconnected("a line of a chunked body does not end with CR and LF")
        return line


class Gateway(wsgi.Gateway_10):
    """Passes a request from cheroot to the application, and its response back."""

    def respond(self) -> None:
        """Call the application and send its response."""
        length = None if self.req.chunked_read else int(self.req.inheaders.get(b"Content-Length", 0))
        body = self.env["wsgi.input"] = RequestBody(self.req.conn, length)
        response = self.req.server.wsgi_app(self.env, self.start_response)
        try:
            if not body.discard():
                self.req.close_connection = True
            self.req.rfile = body  # so that cheroot itself reads nothing more
            self.req.conn.wfile.more = bool(response)
            self.req.ensure_headers_sent()
            self.req.conn.wfile.more = False
            if isinstance(response, BlobStream):
                self._send(response)
            else:
                for piece in response:
                    self.req.conn.wfile.write(piece)
            if not body.ended:
                self.req.conn.end_sending()
        except (OSError, AirgapError) as error:
            # The status and headers were sent. Closing the connection tells the client that the body is incomplete.
            _log.info("%s: the answer broke off: %s", self.env["PATH_INFO"], error)
            self.req.close_connection = True
        finally:
            if isinstance(response, BlobStream):
                response.close()

    def _send(self, stream: BlobStream) -> None:
        channel = self.req.conn.channel
        file_range = stream.file_range() if system.sendfile() and not channel.is_tls else None
        if file_range is not None:
            sent = channel.send_file(file_range)
            if sent != file_range.length:
                raise ClientDisconnected(f"the file ends {file_range.length - sent} bytes too early")
            return
        pieces = stream.pieces(_TLS_BUFFER)
        while piece := pieces.view():
            channel.send(piece)


class _TlsAdapter(BuiltinSSLAdapter):
    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        """Leave the TLS handshake to the front, so that a client that stalls in it blocks no other client."""
        wrapped = self.context.wrap_socket(sock, do_handshake_on_connect=False, server_side=True)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class _HeaderReader(HeaderReader):
    """Reads header lines that :func:`head.problem` has checked. Repeated ones are joined (RFC 9110, 5.3)."""

    def __call__(self, rfile: Any, hdict: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
        headers = {} if hdict is None else hdict
        while (line := rfile.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            name, value = name.title(), value.strip()
            headers[name] = b", ".join((headers[name], value)) if name in headers else value
        return headers


class _Request(HTTPRequest):
    header_reader = _HeaderReader()


class _Connection(HTTPConnection):
    """A connection with what the front and the workers keep of it."""

    RequestHandlerClass = _Request

    def __init__(self, server: HttpServer, sock: Any, address: Any, client: str) -> None:
        # Not cheroot's own, which makes file objects and caches that are not needed here.
        self.server = server
        self.socket = sock
        self.channel = Channel(sock, server.limits)
        self.rfile = RequestFile(self.channel)
        self.wfile = ResponseFile(self.channel)
        self.requests_seen = 0
        self.remote_addr, self.remote_port = address[:2]
        self.client = client
        self.closed = self.cut_off = self.lingering = False
        self.head = b""
        self.searched = self.naps = self.head_bytes = self.drained = 0

    def communicate(self) -> bool:
        """Answer the request whose head the front has read; return whether to wait for more of this connection."""
        self.channel.begin()
        refusal = head.problem(self.head)
        if refusal:
            with contextlib.suppress(OSError):
                self.channel.send(head.refusal_response(*refusal))
            self.end_sending()
            return True
        keep = super().communicate()  # type: ignore[no-untyped-call] # cheroot's stubs leave it out
        return bool(keep) or self.lingering

    def end_sending(self) -> None:
        """End the connection, but let a client that is still sending read the response: closing would reset it."""
        self.lingering = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def has_pending(self) -> bool:
        """Whether TLS has decrypted bytes that the selector does not see."""
        return bool(self.channel.is_tls and not self.lingering and self.socket.pending())

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self.server.forget(self.client)
        self.rfile.close()
        with contextlib.suppress(OSError):
            if not self.lingering:
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        self.socket.close()


class HttpServer(wsgi.Server):
    """cheroot's server with the gateway of this module. Errors of clients are logged, not printed."""

    def __init__(self, address: tuple[str, int], application: Any, tls: tuple[str, str] | None, limits: Limits) -> None:
        super().__init__(
            address,
            application,
            server_name="airgap",
            request_queue_size=1024,
            timeout=limits["idle-time"],
            shutdown_timeout=2,
        )
        self.gateway = Gateway
        self.limits = limits
        self.requests = WorkerPool(self, limits)
        #: Why the last attempt to listen failed. cheroot itself gives it only as a part of a message.
        self.refusal: OSError | None = None
        if tls:
            self.ssl_adapter = _TlsAdapter(*tls)
            self.ssl_adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.ssl_adapter.context.sslsocket_class = TlsSocket

    def prepare(self) -> None:
        """Listen as cheroot does, with the front of this package in place of cheroot's connection manager."""
        super().prepare()
        connections: Any = self._connections
        connections.close()
        self._connections: Any = Front(self, self.limits)

    def adopt(self, sock: Any, address: Any, client: str) -> _Connection:
        """Return the connection of a socket that was accepted. Raises OSError."""
        sock.setblocking(False)
        environment: dict[str, str] = {}
        if self.ssl_adapter is not None:
            sock, environment = self.ssl_adapter.wrap(sock)
        connection = _Connection(self, sock, address, client)
        connection.ssl_env = environment
        return connection

    def forget(self, client: str) -> None:
        """Count a connection that was closed."""
        self._connections.forget(client)

    def bind(self, family: Any, type: Any, proto: int = 0) -> Any:
        """Bind as cheroot does, and keep the error in ``refusal``."""
        try:
            return super().bind(family, type, proto)
        except OSError as error:
            self.refusal = error
            raise

    @staticmethod
    def bind_socket(socket_: Any, bind_addr: Any) -> Any:
        """Bind as cheroot does, and close the socket if that fails."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Log a message of cheroot."""
        _log.log(logging.DEBUG if level < logging.CRITICAL else level, "%s", msg)

    def stop(self) -> None:
        """Stop as cheroot does; ignore errors of sockets that are closed already."""
        with contextlib.suppress(OSError):
            super().stop()

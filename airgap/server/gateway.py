# SPDX-License-Identifier: Apache-2.0
"""The application in cheroot, with fast bodies.

cheroot parses requests and manages connections and threads. Its own file objects copy bodies in Python and hold whole
chunks in memory. So this module reads request bodies with ``recv_into`` a buffer of the handler, and sends response
bodies with ``sendfile`` or from one reused buffer. It is imported only when a server starts.
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
from airgap.server.exchange import BlobStream, ClientDisconnected
from airgap.store import FileRange

_log = logging.getLogger("airgap.server")

#: Bytes of an unread request body that are discarded to keep the connection. With more, the connection is closed.
_MAX_DISCARD = 1024 * 1024
#: Bytes of a chunk size line (RFC 9112, 7.1) or a trailer line at most.
_MAX_LINE = 4096
_THREADS = 10
_PLAIN_HTTP_RESPONSE = b"""\
HTTP/1.1 400 Bad Request\r
Content-Type: text/plain\r
Content-Length: 45\r
Connection: close\r
\r
This was an HTTP request to an HTTPS server.
"""
#: Seconds that a client which is still sending gets to read the response.
_LINGER_TIME = 2.0


class RequestBody:
    """The body of a request: with a length, or chunked if ``length`` is ``None``."""

    def __init__(self, connection: Any, length: int | None) -> None:
        self._file = connection.rfile
        self._socket = connection.socket
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
        count = self._receive(buffer[: min(len(buffer), self._remaining)])
        self._remaining -= count
        if self._remaining == 0 and not self._chunked:
            self.ended = True
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
            if self._file.has_data():  # bytes that arrived together with the headers
                piece = self._file.read1(len(buffer))
                buffer[: len(piece)] = piece
                return len(piece)
            count = self._socket.recv_into(buffer)
        except OSError as error:
            raise ClientDisconnected("the connection was lost") from error
        if count == 0:
            raise ClientDisconnected("the client closed the connection")
        return int(count)

    def _next_chunk(self) -> None:
        if not self._before_first_chunk and self._read_line() != b"\r\n":
            raise ClientDisconnected("a chunk does not end where it should")
        self._before_first_chunk = False
        size = self._read_line().partition(b";")[0].strip()
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
        except OSError as error:
            raise ClientDisconnected("the connection was lost") from error
        if not line.endswith(b"\n"):
            raise ClientDisconnected("the client closed the connection")
        return b"\r\n" if line in (b"\n", b"\r\n") else line


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
            self.req.ensure_headers_sent()
            if isinstance(response, BlobStream):
                self._send(response)
            else:
                for piece in response:
                    self.req.conn.wfile.write(piece)
            if not body.ended:
                _linger(self.req.conn.socket)
        except (OSError, AirgapError) as error:
            # The status and headers were sent. Closing the connection tells the client that the body is incomplete.
            _log.info("%s: the answer broke off: %s", self.env["PATH_INFO"], error)
            self.req.close_connection = True
        finally:
            if isinstance(response, BlobStream):
                response.close()

    def _send(self, stream: BlobStream) -> None:
        sock = self.req.conn.socket
        file_range = None if isinstance(sock, ssl.SSLSocket) else stream.file_range()
        if file_range is not None:
            sent = _sendfile(sock, file_range)
            if sent != file_range.length:
                raise ClientDisconnected(f"the file ends {file_range.length - sent} bytes too early")
            return
        pieces = stream.pieces()
        while piece := pieces.view():
            sock.sendall(piece)


def _sendfile(sock: Any, file_range: FileRange) -> int:
    """Send the range, and return the number of bytes that were sent."""
    if not file_range.length:
        return 0
    return int(sock.sendfile(_FileDescriptor(file_range.fd), file_range.offset, file_range.length))


def _linger(sock: Any) -> None:
    """Let a client that is still sending read the response. Closing at once would reset its connection."""
    deadline, buffer = time.monotonic() + _LINGER_TIME, bytearray(256 * 1024)
    sock.shutdown(socket.SHUT_WR)
    while (remaining := deadline - time.monotonic()) > 0:
        sock.settimeout(remaining)
        if not sock.recv_into(buffer):
            return


class _FileDescriptor:
    """The part of a file object that ``socket.sendfile`` needs."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


class _TlsAdapter(BuiltinSSLAdapter):
    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        """Leave the TLS handshake to the worker thread, so that a client that stalls in it blocks no other client."""
        wrapped = self.context.wrap_socket(sock, do_handshake_on_connect=False, server_side=True)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class _Connection(HTTPConnection):
    """Answers plain HTTP requests to a TLS server, which cheroot does not, and closes its writer before the socket."""

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.wfile.close()
        super().close()

    def communicate(self) -> bool:
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.version() is None:
            # The first byte of a TLS connection is the type of a handshake record (RFC 8446, 5.1).
            with contextlib.suppress(OSError):
                if socket.socket.recv(self.socket, 1, socket.MSG_PEEK) not in (b"\x16", b""):
                    socket.socket.sendall(self.socket, _PLAIN_HTTP_RESPONSE)
                    socket.socket.shutdown(self.socket, socket.SHUT_WR)
                    socket.socket.recv(self.socket, 64 * 1024)
                    return False
        return bool(super().communicate())  # type: ignore[no-untyped-call] # cheroot's stubs leave it out


class HttpServer(wsgi.Server):
    """cheroot's server with the gateway of this module. Errors of clients are logged, not printed."""

    ConnectionClass = _Connection
    keep_alive_conn_limit = 256
    expiration_interval = 0.02  # seconds; stop() may wait this long for the accepting thread

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
        #: Why the last attempt to listen failed. cheroot itself gives it only as a part of a message.
        self.refusal: OSError | None = None
        if tls:
            self.ssl_adapter = _TlsAdapter(*tls)
            self.ssl_adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2

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

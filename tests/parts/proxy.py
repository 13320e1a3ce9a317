# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy on loopback: CONNECT tunnels and plain requests, counted, with a password if one is set.

``routes`` sends a ``host:port`` that a client asks for to another address, so that names of the internet can be
played on loopback. Nothing but loopback is ever connected to.
"""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from tests.parts.service import LOOPBACK


class Proxy:
    """What the proxy has seen. ``connects`` and ``requests`` hold ``host:port`` in the order of arrival."""

    def __init__(self, port: int, user: str, password: str, routes: Mapping[str, str]) -> None:
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"
        #: The address with the name and password in it, as HTTPS_PROXY takes it.
        self.url_with_password = f"http://{user}:{password}@{LOOPBACK}:{port}" if user else self.url
        self.connects: list[str] = []
        self.requests: list[str] = []
        #: The header lines of each request to the proxy itself: what a client must keep from it shows here.
        self.heads: list[str] = []
        #: How many were turned away with 407.
        self.refused = 0
        self._routes = dict(routes)
        self._token = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""

    def admits(self, head: str) -> bool:
        """Whether the request's head carries the right ``Proxy-Authorization``."""
        lines = (line.partition(":") for line in head.split("\r\n")[1:])
        given = {name.strip().lower(): value.strip() for name, _, value in lines}
        return not self._token or given.get("proxy-authorization", "").split(" ")[-1] == self._token

    def dial(self, wanted: str) -> socket.socket:
        """A connection to where ``host:port`` leads here; raises :class:`OSError` for what is not loopback."""
        host, _, port = self._routes.get(wanted, wanted).rpartition(":")
        host = LOOPBACK if host == "localhost" else host.strip("[]")
        if not host.startswith("127.") and host != "::1":
            raise OSError(f"{wanted} is not on loopback")
        return socket.create_connection((host, int(port)), timeout=10)


@contextlib.contextmanager
def http_proxy(*, user: str = "", password: str = "", routes: Mapping[str, str] | None = None) -> Iterator[Proxy]:
    """Start a proxy; with ``user`` it asks for Basic authentication."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            _serve(proxy, self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away in the middle is no news."""

    with Server((LOOPBACK, 0), Handler) as server:
        proxy = Proxy(server.server_address[1], user, password, routes or {})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _serve(proxy: Proxy, client: socket.socket) -> None:
    reader = client.makefile("rb", buffering=0)  # what follows the head belongs to the tunnel: not read ahead
    lines = []
    while (line := reader.readline(65536)) not in (b"\r\n", b"\n", b""):
        lines.append(line.decode("latin-1").rstrip("\r\n"))
    if not lines:
        return
    head = "\r\n".join(lines)
    method, target, _ = lines[0].split(" ", 2)
    proxy.heads.append(head)
    if not proxy.admits(head):
        proxy.refused += 1
        challenge = 'Proxy-Authenticate: Basic realm="proxy"\r\n'
        client.sendall(f"HTTP/1.1 407 Proxy Authentication Required\r\n{challenge}Content-Length: 0\r\n\r\n".encode())
        return
    plain = method != "CONNECT"
    parts = urlsplit(target)
    wanted = f"{parts.hostname}:{parts.port or 80}" if plain else target
    (proxy.requests if plain else proxy.connects).append(wanted)
    try:
        upstream = proxy.dial(wanted)
    except OSError:
        client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    with upstream:
        if plain:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            kept = [line for line in lines[1:] if not line.lower().startswith(("proxy-", "connection:"))]
            upstream.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode())
        else:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        _relay(client, upstream)


def _relay(one: socket.socket, other: socket.socket) -> None:
    ends = {one: other, other: one}
    while ends:
        readable, _, _ = select.select(list(ends), [], [], 30)
        if not readable:
            return
        for source in readable:
            data = source.recv(65536)
            if not data:
                with contextlib.suppress(OSError):
                    ends[source].shutdown(socket.SHUT_WR)
                del ends[source]
                if source is other:
                    return
                continue
            ends[source].sendall(data)

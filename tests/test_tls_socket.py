# SPDX-License-Identifier: Apache-2.0
"""TLS connections that break, beside others of the same thread: only what broke reports an error."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from airgap.registry.http.connect import Trust, create_tls_context
from tests.parts.certificates import Authority

RESET = struct.pack("ii", 1, 0)


class Peers:
    """Connected pairs of sockets over loopback TCP: the near side is ours, the far side another program's."""

    def __init__(self, authority: Authority) -> None:
        self.near_context = create_tls_context(Trust(ca_file=str(authority.ca)))
        self.far_context = authority.good().context()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.open: list[socket.socket] = [self.listener]

    def pair(self) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
        far: list[ssl.SSLSocket] = []

        def accept() -> None:
            far.append(self.far_context.wrap_socket(self.listener.accept()[0], server_side=True))

        accepting = threading.Thread(target=accept)
        accepting.start()
        raw = socket.create_connection(self.listener.getsockname(), timeout=30)
        near = self.near_context.wrap_socket(raw, server_hostname="127.0.0.1")
        accepting.join()
        self.open += [near, far[0]]
        return near, far[0]


@pytest.fixture
def peers(authority: Authority) -> Iterator[Peers]:
    made = Peers(authority)
    yield made
    for sock in made.open:
        sock.close()


def reset(far: ssl.SSLSocket) -> None:
    """End the far side so that the near side gets an error, not an end."""
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    far.close()


def send(near: ssl.SSLSocket) -> None:
    while True:
        near.send(b"x" * 65536)


def receive(near: ssl.SSLSocket) -> None:
    near.recv(1)


def receive_into(near: ssl.SSLSocket) -> None:
    near.recv_into(bytearray(1))


def assert_healthy(near: ssl.SSLSocket, far: ssl.SSLSocket) -> None:
    near.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        near.recv(1)
    near.setblocking(True)
    far.sendall(b"y")
    assert near.recv(1) == b"y"


@pytest.mark.parametrize("fail", [send, receive, receive_into])
def test_an_error_stays_with_its_connection(peers: Peers, fail: Callable[[ssl.SSLSocket], None]) -> None:
    healthy, other = peers.pair()
    broken, far = peers.pair()
    for near, sender in ((healthy, other), (broken, far)):
        # The first read of a connection takes its session tickets, and so empties OpenSSL's list of errors.
        sender.sendall(b"y")
        assert near.recv(1) == b"y"
    reset(far)
    for _ in range(2):  # the second error differs from the first, and not each version of Python has one
        with contextlib.suppress(OSError):
            fail(broken)
    assert_healthy(healthy, other)


def test_a_handshake_that_fails(peers: Peers) -> None:
    healthy, other = peers.pair()
    other.sendall(b"y")
    assert healthy.recv(1) == b"y"
    with socket.create_connection(peers.listener.getsockname(), timeout=30) as raw:
        far, _ = peers.listener.accept()
        near = peers.near_context.wrap_socket(raw, server_hostname="127.0.0.1", do_handshake_on_connect=False)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        far.close()
        with pytest.raises(ConnectionError):
            near.do_handshake()
        near.close()
    assert_healthy(healthy, other)

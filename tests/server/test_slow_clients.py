# SPDX-License-Identifier: Apache-2.0
"""Clients that hold connections: silent, slow, too many. None of them keeps another client from its answer."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.server import Server, workers
from airgap.server.channel import Pace
from airgap.store import ImageLayout, MemoryStore
from tests.parts.certificates import Authority
from tests.parts.waiting import at_rest, wait_until
from tests.server.client import Client, open_http
from tests.server.raw import connect, read_all, serving

PING = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
#: More than the server has workers.
CROWD = 700


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    yield opened
    for one in opened:
        one.close()


def ping(server: Server, **options: object) -> int:
    with open_http(server, timeout=30, **options) as http:
        return http.get("/v2/").status_code


def stalled_upload(server: Server, http: httpx.Client, *, source: str | None = None) -> socket.socket:
    """A connection whose request has a body that does not come."""
    connection = connect(server.url, source)
    head = f"PATCH {Client(http).begin()} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    connection.sendall(head.encode() + b"x" * 10)
    return connection


@pytest.mark.parametrize("sent", [b"", b"GET /v2/ HT", b"GET /v2/ HTTP/1.1\r\nHost: x\r\n", b"\r\n"])
def test_connections_without_a_complete_request_hold_no_worker(sent: bytes, sockets: list[socket.socket]) -> None:
    others = set(threading.enumerate())
    with Server(MemoryStore()) as server:
        for _ in range(CROWD):
            sockets.append(connect(server.url))
            sockets[-1].sendall(sent)
        assert ping(server) == 200
        started = set(threading.enumerate()) - others
        assert sum(thread.name == "airgap-server-worker" for thread in started) == 1


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
def test_handshakes_that_do_not_go_on_hold_no_worker(
    authority: Authority, sent: bytes, sockets: list[socket.socket]
) -> None:
    pair = authority.good()
    context = ssl.create_default_context(cafile=authority.ca)
    with Server(MemoryStore(), tls=(pair.certificate, pair.key)) as server:
        for _ in range(100):
            sockets.append(connect(server.url))
            sockets[-1].sendall(sent)
        assert ping(server, verify=context) == 200


def test_bodies_that_do_not_come_hold_only_their_own_worker(sockets: list[socket.socket]) -> None:
    with Server(MemoryStore(), writable=True) as server, open_http(server) as http:
        sockets += [stalled_upload(server, http) for _ in range(60)]
        assert ping(server) == 200


def test_readers_that_stop_hold_only_their_own_worker(tmp_path: Path, sockets: list[socket.socket]) -> None:
    with Server(ImageLayout.create(tmp_path), writable=True) as server, open_http(server) as http:
        client = Client(http)
        digest = client.blob(bytes(32 * 1024 * 1024))
        for _ in range(60):
            sockets.append(connect(server.url))
            sockets[-1].sendall(f"GET {client.path(f'blobs/{digest}')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert ping(server) == 200


def test_five_hundred_slow_clients_of_all_kinds_beside_honest_ones(
    tmp_path: Path, sockets: list[socket.socket]
) -> None:
    with serving(tmp_path / "layout", "--writable") as process:
        with httpx.Client(base_url=process.url, trust_env=False, timeout=60) as http:
            client = Client(http)
            manifest = client.image("v1")
            digest = client.blob(bytes(8 * 1024 * 1024))
            requests = [
                b"",
                b"GET /v2/ HTTP/1.1\r\nX-Slow: ",
                b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n{",
                f"GET {client.path(f'blobs/{digest}')} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
            ]
            for number in range(500):
                sockets.append(connect(process.url))
                sockets[-1].sendall(requests[number % 4])

            failures: list[object] = []

            def pull() -> None:
                with httpx.Client(base_url=process.url, trust_env=False, timeout=60) as own:
                    for _ in range(5):
                        answer = own.get(client.path("manifests/v1"))
                        if answer.content != manifest:
                            failures.append(answer)

            threads = [threading.Thread(target=pull) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failures == []
        assert process.peak < 100, f"{process.peak} MiB"


def test_the_minimum_rate() -> None:
    at_the_limit = Pace(1024, 30)
    at_the_limit.waited(29.9)
    at_the_limit.moved(1024 * 30)
    assert at_the_limit.rest == 30
    below = Pace(1024, 30)
    below.moved(1024 * 30 - 1)
    below.waited(30)
    assert below.rest <= 0


def test_a_body_that_stalls_is_answered_408() -> None:
    with (
        Server(MemoryStore(), writable=True, limits={"rate-period": 1}) as server,
        open_http(server) as http,
        stalled_upload(server, http) as connection,
    ):
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_at_the_minimum_rate_arrives(tmp_path: Path) -> None:
    """Each part comes when the one before has arrived: the server waits only for a moment each time."""
    limits = {"rate-period": 1, "minimum-rate": 10}
    with Server(ImageLayout.create(tmp_path), writable=True, limits=limits) as server, open_http(server) as http:
        client = Client(http)
        url = client.begin()
        with connect(server.url) as connection:
            connection.sendall(f"PATCH {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n".encode())
            stop = threading.Event()
            for _ in range(4):
                stop.wait(0.5)
                connection.sendall(b"x" * 10)
            assert connection.recv(100).startswith(b"HTTP/1.1 202 ")


@pytest.mark.long
def test_a_reader_that_stops_is_cut_off(tmp_path: Path) -> None:
    size = 64 * 1024 * 1024
    limits = {"rate-period": 1, "workers": 1}
    with Server(ImageLayout.create(tmp_path), writable=True, limits=limits) as server, open_http(server) as http:
        client = Client(http)
        digest = client.blob(bytes(size))
        with connect(server.url) as connection:
            connection.sendall(f"GET {client.path(f'blobs/{digest}')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
            assert ping(server) == 200, "the only worker is free again"
            assert len(read_all(connection)) < size


@pytest.mark.parametrize(("sent", "answer"), [(b"", b""), (b"GET /v2/ HTTP/1.1\r\n", b"HTTP/1.1 408 ")])
def test_headers_have_a_deadline(sent: bytes, answer: bytes) -> None:
    with Server(MemoryStore(), limits={"header-time": 1}) as server, connect(server.url) as connection:
        connection.sendall(sent)
        assert read_all(connection)[:13] == answer


def test_headers_that_drip_have_the_same_deadline() -> None:
    with Server(MemoryStore(), limits={"header-time": 1}) as server, connect(server.url) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nX: ")
        stop = threading.Event()
        with contextlib.suppress(OSError):
            for _ in range(600):
                connection.sendall(b"x")
                connection.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    assert connection.recv(13) == b"HTTP/1.1 408 "
                    return
                stop.wait(0.05)
        pytest.fail("the connection was not ended")


def server_threads() -> list[int]:
    return [
        thread.native_id
        for thread in threading.enumerate()
        if thread.name.startswith("airgap-server") and thread.native_id is not None
    ]


def test_headers_in_two_parts_are_one_request() -> None:
    with Server(MemoryStore()) as server, connect(server.url) as connection:
        connection.sendall(PING[:9])
        wait_until(at_rest(os.getpid(), server_threads))
        connection.sendall(PING[9:])
        assert connection.recv(13) == b"HTTP/1.1 200 "


def test_an_idle_connection_is_closed() -> None:
    with Server(MemoryStore(), limits={"idle-time": 1}) as server, connect(server.url) as connection:
        connection.sendall(PING)
        assert read_all(connection).count(b"HTTP/1.1") == 1


def test_a_handshake_has_a_deadline(authority: Authority) -> None:
    pair = authority.good()
    tls = (pair.certificate, pair.key)
    with Server(MemoryStore(), tls=tls, limits={"handshake-time": 1}) as server, connect(server.url) as connection:
        assert read_all(connection) == b""


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def test_connections_of_one_client(sockets: list[socket.socket]) -> None:
    """Past the limit a client's own idle connection is closed; another client's stays."""
    with Server(MemoryStore(), limits={"connections-per-client": 5}) as server:
        other = connect(server.url, "127.0.0.9")
        sockets += [other, *(connect(server.url) for _ in range(5))]
        assert ping(server) == 200  # it is the sixth
        wait_until(lambda: not is_open(sockets[1]))
        assert all(is_open(one) for one in [other, *sockets[2:]])


def test_connections_of_all_clients(sockets: list[socket.socket]) -> None:
    with Server(MemoryStore(), limits={"connections": 5}) as server:
        sockets += [connect(server.url, f"127.0.0.{number + 2}") for number in range(5)]
        wait_until(lambda: all(is_open(one) for one in sockets))
        assert ping(server) == 200
        wait_until(lambda: not is_open(sockets[0]))
        assert all(is_open(one) for one in sockets[1:])


def test_the_slowest_of_the_client_with_the_most_makes_room(
    sockets: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All workers are taken by one client; a request of another is answered all the same."""
    monkeypatch.setattr(workers, "_UNDISTURBED_TIME", 0.5)
    with Server(MemoryStore(), writable=True, limits={"workers": 4}) as server, open_http(server) as http:
        sockets += [stalled_upload(server, http, source="127.0.0.9") for _ in range(4)]
        assert ping(server) == 200
        wait_until(lambda: sum(not is_open(one) for one in sockets) == 1)

# SPDX-License-Identifier: Apache-2.0
"""The memory of a server process under each bomb: below 100 MiB at all times, whatever comes and however slowly."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.store import ImageLayout
from tests.parts.waiting import at_rest, wait_until
from tests.server.client import OCI_MANIFEST, Client, describe
from tests.server.raw import Process, connect, serving

LIMIT = 100.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    with serving(tmp_path / "layout", "--writable") as process:
        yield process


@pytest.fixture
def client(server: Process) -> Iterator[Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        yield Client(http)


@pytest.fixture
def many() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def send_to_all(many: contextlib.ExitStack, server: Process, count: int, request: bytes) -> list[socket.socket]:
    connections = [many.enter_context(connect(server.url)) for _ in range(count)]

    def send(part: list[socket.socket]) -> None:
        for connection in part:
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                connection.sendall(request)

    threads = [threading.Thread(target=send, args=(connections[number::20],)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return connections


def assert_small(server: Process, client: Client) -> None:
    wait_until(at_rest(server.pid))
    assert client.http.get("/v2/").status_code == 200
    assert server.peak < LIMIT, f"{server.peak} MiB"


def test_headers_that_do_not_end(server: Process, client: Client, many: contextlib.ExitStack) -> None:
    head = b"GET /v2/ HTTP/1.1\r\n" + b"A: ".ljust(30_000, b"x") + b"\r\nB: ".ljust(30_000, b"x")
    send_to_all(many, server, 700, head)
    assert_small(server, client)


def test_manifests_that_do_not_end(server: Process, client: Client, many: contextlib.ExitStack) -> None:
    head = f"PUT {client.path('manifests/v1')} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n".encode()
    send_to_all(many, server, 300, head + bytes(300_000))
    assert_small(server, client)


def test_layers_that_do_not_end(server: Process, client: Client, many: contextlib.ExitStack) -> None:
    uploads = [many.enter_context(connect(server.url)) for _ in range(100)]
    for connection in uploads:
        head = f"PATCH {client.begin()} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n".encode()
        connection.sendall(head + bytes(1_500_000))
    assert_small(server, client)


@pytest.mark.parametrize(
    "bomb",
    [b"[" * 4_000_000, b'{"a":[' + b"[]," * 1_390_000 + b"1]}", b'{"a":[' + b'{"a":1},' * 500_000 + b"1]}"],
    ids=["deep", "lists", "objects"],
)
def test_manifests_that_explode(server: Process, client: Client, many: contextlib.ExitStack, bomb: bytes) -> None:
    head = f"PUT {client.path('manifests/v1')} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    for connection in send_to_all(many, server, 20, head + bomb):
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert_small(server, client)


@pytest.mark.long
def test_answers_that_nobody_reads(server: Process, client: Client, many: contextlib.ExitStack) -> None:
    config = client.blob(b"{}")
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe(b"{}", "a/b"), "layers": []}
    )
    assert config
    assert client.put(manifest.encode().ljust(4 * 1024 * 1024), "v1").status_code == 201
    send_to_all(many, server, 300, f"GET {client.path('manifests/v1')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert_small(server, client)


@pytest.mark.parametrize(
    "bomb",
    [b'{"manifests":[' + b"[]," * 5_000_000 + b"1]}", b'{"manifests":[' + b"1," * 399_990 + b"1]}", b"[" * 16_000_000],
    ids=["lists", "at the limit", "deep"],
)
def test_an_index_that_explodes(tmp_path: Path, bomb: bytes) -> None:
    layout = ImageLayout.create(tmp_path / "layout")
    (layout.path / "index.json").write_bytes(bomb)
    with serving(layout.path) as process, httpx.Client(base_url=process.url, trust_env=False) as http:
        assert http.get("/v2/a/b/manifests/v1").status_code == 500
        assert process.peak < LIMIT, f"{process.peak} MiB"

# SPDX-License-Identifier: Apache-2.0
"""Uploads that are begun and abandoned: one client's do not keep others from theirs."""

from __future__ import annotations

import httpx

from airgap.server import Server
from airgap.store import MemoryStore
from tests.parts.waiting import wait_until
from tests.server.client import Client, code, open_http
from tests.server.raw import connect


def client_from(server: Server, source: str) -> Client:
    transport = httpx.HTTPTransport(local_address=source)
    return Client(httpx.Client(base_url=server.url, trust_env=False, transport=transport))


def is_there(client: Client, url: str) -> bool:
    return client.http.get(url).status_code == 204


def test_abandoned_uploads_lock_nobody_out() -> None:
    with Server(MemoryStore(), writable=True) as server, open_http(server) as http:
        for _ in range(520):
            Client(http).begin()
        other = client_from(server, "127.0.0.9")
        assert other.blob(b"content")
        other.http.close()


def test_past_the_limit_the_oldest_upload_of_the_client_is_discarded() -> None:
    with Server(MemoryStore(), writable=True, limits={"uploads-per-client": 3}) as server, open_http(server) as http:
        client, other = Client(http), client_from(server, "127.0.0.9")
        others = other.begin()
        first, second, third = (client.begin() for _ in range(3))
        assert is_there(client, first), "three are allowed, and this one was used last"
        fourth = client.begin()
        assert [is_there(client, url) for url in (second, first, third, fourth)] == [False, True, True, True]
        assert is_there(other, others)
        other.http.close()


def test_past_the_limit_of_all_it_is_one_of_the_client_with_the_most() -> None:
    with Server(MemoryStore(), writable=True, limits={"uploads": 3}) as server, open_http(server) as http:
        client, other = Client(http), client_from(server, "127.0.0.9")
        others = other.begin()
        first, second = client.begin(), client.begin()
        third = other.begin()
        assert [is_there(client, url) for url in (first, second)] == [False, True]
        assert [is_there(other, url) for url in (others, third)] == [True, True]
        other.http.close()


def test_an_upload_in_use_is_not_discarded() -> None:
    with Server(MemoryStore(), writable=True, limits={"uploads-per-client": 1}) as server, open_http(server) as http:
        client = Client(http)
        url = client.begin()
        with connect(server.url) as connection:
            head = f"PATCH {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n"
            connection.sendall(head.encode() + bytes(30_000))
            wait_until(lambda: http.get(url).headers["Range"] != "0-0")
            answer = http.post(client.path("blobs/uploads/"))
            assert (answer.status_code, code(answer)) == (429, "TOOMANYREQUESTS")
            connection.sendall(bytes(10_000))
            assert connection.recv(100).startswith(b"HTTP/1.1 202 ")
        client.begin()


def test_bytes_of_unfinished_uploads() -> None:
    limits = {"upload-bytes-per-client": 1000}
    with Server(MemoryStore(), writable=True, limits=limits) as server, open_http(server) as http:
        client = Client(http)
        old, new = client.begin(), client.begin()
        assert http.patch(old, content=bytes(400)).status_code == 202
        assert http.patch(new, content=bytes(600)).status_code == 202
        assert is_there(client, old)
        assert http.patch(new, content=bytes(1)).status_code == 202
        assert not is_there(client, old)
        assert is_there(client, new)
        answer = http.patch(new, content=bytes(400))
        assert (answer.status_code, code(answer)) == (413, "SIZE_INVALID")

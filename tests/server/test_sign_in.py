# SPDX-License-Identifier: Apache-2.0
"""Guessing passwords: after a few wrong ones a client waits, and other clients do not."""

from __future__ import annotations

import base64
import threading

import pytest

from airgap.server import Server
from airgap.server.clients import SignInGuard, client_of
from airgap.server.limits import Limits
from airgap.store import MemoryStore
from tests.server.client import code, open_http
from tests.server.raw import connect


@pytest.fixture
def guarded() -> Server:
    return Server(MemoryStore(), credentials=("carrier", "word"))


def status_of(server: Server, password: str, source: str = "127.0.0.1") -> int:
    token = base64.b64encode(f"carrier:{password}".encode()).decode()
    with connect(server.url, source) as connection:
        connection.sendall(f"GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n\r\n".encode())
        return int(connection.recv(4096).split()[1])


def test_after_a_few_wrong_passwords_a_client_waits(guarded: Server) -> None:
    with guarded, open_http(guarded) as http:
        assert [status_of(guarded, f"wrong{number}") for number in range(5)] == [401] * 5
        answer = http.get("/v2/", auth=("carrier", "wrong"))
        assert (answer.status_code, code(answer)) == (429, "TOOMANYREQUESTS")
        assert answer.headers["Retry-After"] == "1"
        assert status_of(guarded, "word") == 429, "not even the right one, which would tell it from wrong ones"
        assert status_of(guarded, "word", "127.0.0.9") == 200, "from another address"


def test_at_most_twenty_tries_a_second_however_many_come_at_once(guarded: Server) -> None:
    statuses: list[int] = []
    with guarded:
        threads = [
            threading.Thread(target=lambda: statuses.extend(status_of(guarded, "wrong") for _ in range(5)))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses.count(429) > 80


def test_requests_without_credentials_are_no_tries(guarded: Server) -> None:
    with guarded, open_http(guarded) as http:
        assert {http.get("/v2/").status_code for _ in range(30)} == {401}
        assert {http.get("/v2/", auth=("carrier", "word")).status_code for _ in range(30)} == {200}


def test_a_client_gets_a_try_back_in_each_interval() -> None:
    now = [100.0]
    guard = SignInGuard(Limits(), lambda: now[0])
    answers = [guard.attempt("a", lambda: False) for _ in range(6)]
    assert answers == [False] * 5 + [None]
    assert guard.wait("a") == 1
    now[0] += 0.99
    assert guard.attempt("a", lambda: True) is None
    now[0] += 0.01
    assert guard.attempt("a", lambda: False) is False
    assert guard.attempt("a", lambda: True) is None
    now[0] += 1
    assert guard.attempt("a", lambda: True) is True
    assert guard.attempt("b", lambda: True) is True


def test_clients_are_addresses_and_networks_of_64_bits() -> None:
    assert client_of("10.0.0.1") == "10.0.0.1"
    assert client_of("::ffff:10.0.0.1") == "10.0.0.1"
    assert client_of("2001:db8:1:2:3::4") == client_of("2001:db8:1:2:ffff::1") != client_of("2001:db8:1:3::1")
    assert client_of("fe80::1%eth0") == client_of("fe80::2")
    assert client_of("") == ""

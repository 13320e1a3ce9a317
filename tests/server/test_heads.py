# SPDX-License-Identifier: Apache-2.0
"""Heads of requests: those that are too large, and those that a proxy and this server could read in two ways."""

from __future__ import annotations

import contextlib
import select

import pytest

from airgap.server import Server
from airgap.store import MemoryStore
from tests.server.client import Client, code, digest_of, open_http
from tests.server.raw import ask, connect, read_all

HEAD = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
BODY = b"5\r\nhello\r\n0\r\n\r\n"
#: What a smuggled request would be answered.
NEXT = b"GET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_header_line_of_32_kib(server: Server) -> None:
    line = b"X-Long: ".ljust(32 * 1024, b"x")
    assert ask(server, HEAD + line + b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert ask(server, HEAD + line + b"x\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_a_request_line_of_32_kib(server: Server) -> None:
    longest = b"GET /v2/?".ljust(32 * 1024 - 9, b"x") + b" HTTP/1.1"
    assert ask(server, longest + b"\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert ask(server, b"GET /v2/?x" + longest[9:] + b"\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 414 ")


def test_a_hundred_header_lines(server: Server) -> None:
    lines = b"".join(b"X-%d: x\r\n" % number for number in range(98))
    assert ask(server, HEAD + lines + b"\r\n").startswith(b"HTTP/1.1 200 ")
    assert ask(server, HEAD + lines + b"X-98: x\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_64_kib_of_headers(server: Server) -> None:
    lines = b"A: ".ljust(30_000, b"x") + b"\r\n" + b"B: ".ljust(30_000, b"x") + b"\r\n"
    lines += b"C: ".ljust(64 * 1024 - len(HEAD + lines) - 4, b"x") + b"\r\n"
    assert len(HEAD + lines + b"\r\n") == 64 * 1024
    assert ask(server, HEAD + lines + b"\r\n").startswith(b"HTTP/1.1 200 ")
    assert ask(server, HEAD + b"x" + lines + b"\r\n").startswith(b"HTTP/1.1 431 ")


def test_headers_without_end(server: Server) -> None:
    with connect(server.url) as connection:
        connection.sendall(HEAD)
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                connection.sendall(b"X-Long: " + b"x" * 10_000 + b"\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 431 ")


def test_incomplete_headers_of_all_clients_together() -> None:
    """The connection that has the most of them is refused; the others are answered."""
    with Server(MemoryStore(), limits={"header-memory": 205_000}) as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(server.url)) for _ in range(5)]
        for connection in connections[:4]:
            connection.sendall(b"GET /v2/ HTTP/1.1\r\n" + b"A: ".ljust(30_000, b"x") + b"\r\nB: ".ljust(20_500, b"x"))
        connections[4].sendall(b"GET /v2/ HTTP/1.1\r\nA: ".ljust(10_000, b"x"))
        refused, _, _ = select.select(connections, [], [], 10)
        assert [connection.recv(12) for connection in refused] == [b"HTTP/1.1 431"]
        for connection in connections:
            if connection not in refused:
                connection.sendall(b"\r\nConnection: close\r\n\r\n")
                assert read_all(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 1_0\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: \xb2\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length : 5\r\n",
        b"Content-Length\t: 5\r\n",
        b" Content-Length: 5\r\n",
        b"Content_Length: 5\r\n",
        b"Content-Length: 5\r\nContent_Length: 9\r\n",
        b"X: a\r\n Content-Length: 5\r\n",
        b"X: a\r\n\tb\r\n",
        b"X: a\nContent-Length: 5\r\n",
        b"X: a\rContent-Length: 5\r\n",
        b"X: a\x00b\r\n",
        b"no colon\r\n",
        b": no name\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked;q=1\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding:\r\n",
        b"Host: y\r\n",
    ],
)
def test_requests_whose_length_can_be_read_in_two_ways(server: Server, lines: bytes) -> None:
    """They are answered 400, the connection is closed, and nothing behind them is taken for a request."""
    request = b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n" + BODY
    answer = ask(server, request + NEXT)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_chunks_need_http_1_1(server: Server) -> None:
    request = b"PUT /v2/a/manifests/v1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY
    assert ask(server, request + NEXT).startswith(b"HTTP/1.1 400 ")


def test_lines_that_end_without_cr(server: Server) -> None:
    assert ask(server, b"GET /v2/ HTTP/1.1\nHost: x\n\n" + NEXT).count(b"HTTP/1.1 400 ") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\n\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"f" * 16 + b"\r\nhello",
        b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n",
        b"5;" + b"x" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_can_be_read_in_two_ways(client: Client, server: Server, body: bytes) -> None:
    head = f"PATCH {client.begin()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = ask(server, head.encode() + body + NEXT)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_what_is_allowed(client: Client, server: Server) -> None:
    for lines in (
        b"transfer-encoding:CHUNKED\r\n",
        b"Transfer-Encoding: \t chunked \t\r\n",
        b"X-Empty:\r\nX-High: \xe9\r\nX-Tab: a\tb\r\nTransfer-Encoding: chunked\r\nAccept: a\r\nAccept: b\r\n",
    ):
        head = f"PATCH {client.begin()} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
        assert ask(server, head + lines + b"\r\n" + BODY).startswith(b"HTTP/1.1 202 ")
    head = f"PATCH {client.begin()} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
    assert ask(server, head + b"Content-Length: 0005\r\n\r\nhello").startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize("digits", ["9" * 19, "9" * 20, "9" * 5000, "0" * 30 + "9"])
def test_ranges_with_many_digits(client: Client, digits: str) -> None:
    content = bytes(range(100))
    path = client.path(f"blobs/{client.blob(content)}")
    last = min(int(digits.lstrip("0")[:20]), 99)
    answer = client.http.get(path, headers={"Range": f"bytes=0-{digits}"})
    assert (answer.status_code, answer.content) == (206, content[: last + 1])
    assert answer.headers["Content-Range"] == f"bytes 0-{last}/100"
    suffix = client.http.get(path, headers={"Range": f"bytes=-{digits}"})
    assert (suffix.status_code, suffix.content) == (206, content[-last:] if last < 99 else content)
    beyond = client.http.get(path, headers={"Range": f"bytes={digits}-"})
    assert beyond.status_code == (206 if last < 99 else 416)


# Manifests


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", "neither Content-Type"),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "levels deep"),
        (b'{"a":' + b'"' + b"[" * 1000 + b'"' + b"}", "neither Content-Type"),
        (b"[" * 131_072, "levels deep"),
        (b"[" * 131_073, "131,073 values"),
        (b'{"a":[' + b"1," * 131_069 + b"1]}", "neither Content-Type"),
        (b'{"a":[' + b"1," * 131_071 + b"1]}", "131,073 values"),
        (b'"' * 4_000_000, "not JSON"),
        (b"]" * 4_000_000, "not JSON"),
    ],
    ids=["31 deep", "32 deep", "in a string", "deep", "deeper", "many values", "too many", "quotes", "closing"],
)
def test_manifests_that_are_too_much(client: Client, content: bytes, status: str) -> None:
    answer = client.put(content, "v1", "application/json")
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID")
    assert status in answer.text


def test_the_largest_manifest(client: Client) -> None:
    manifest = client.image()
    limit = 4 * 1024 * 1024
    largest = manifest.rstrip().ljust(limit)
    assert client.put(largest, "v1").status_code == 201
    assert client.http.get(client.path("manifests/v1")).content == largest
    answer = client.put(largest + b" ", "v2")
    assert (answer.status_code, code(answer)) == (413, "SIZE_INVALID")


def test_a_chunked_manifest_that_is_too_large_is_not_read_to_its_end(client: Client, server: Server) -> None:
    with open_http(server) as http:
        answer = http.put(client.path("manifests/v1"), content=(bytes(65536) for _ in range(70)))
    assert answer.status_code == 413
    assert client.http.get(client.path(f"blobs/{digest_of(b'')}")).status_code == 404


def test_a_client_that_speaks_tls_is_answered_at_once(server: Server) -> None:
    """It then says that the server gave an HTTP response to an HTTPS client."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".ljust(512, b"\x07")
    assert ask(server, hello).startswith(b"HTTP/1.1 400 ")

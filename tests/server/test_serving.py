# SPDX-License-Identifier: Apache-2.0
"""The server as a thing that runs: addresses, sign-in, TLS, requests of every odd kind, memory."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from airgap.errors import AirgapError, NotReady, UsageError
from airgap.oci import Descriptor
from airgap.server import Server
from airgap.store import ImageLayout, MemoryStore, Opener, Reader, Source
from airgap.store.readers import bytes_opener
from tests.parts.certificates import Authority
from tests.parts.waiting import wait_until
from tests.server.client import Client, code, digest_of, open_http


def connect(server: Server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=10)


def ask(server: Server, request: bytes) -> bytes:
    with connect(server) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


# Addresses


def test_it_starts_and_stops_and_starts_again() -> None:
    server = Server(MemoryStore())
    server.start()
    first = server.url
    assert httpx.get(f"{first}/v2/", trust_env=False).status_code == 200
    server.start()
    assert server.url == first
    server.stop()
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first}/v2/", trust_env=False)
    with server:
        assert server.url == first
        assert httpx.get(f"{first}/v2/", trust_env=False).status_code == 200


def test_nothing_runs_on_after_stop() -> None:
    before = set(threading.enumerate())
    with Server(MemoryStore(), writable=True) as server, open_http(server) as http:
        Client(http).begin()
        http.patch(Client(http).begin(), content=b"x")
    wait_until(lambda: set(threading.enumerate()) <= before)


def test_stopping_gives_unfinished_uploads_up() -> None:
    server = Server(MemoryStore(), writable=True)
    with server, open_http(server) as http:
        url = Client(http).begin()
        http.patch(url, content=b"x")
    with server, open_http(server) as http:
        assert http.get(url).status_code == 404


def test_ipv6() -> None:
    try:
        with Server(MemoryStore(), "::1") as server:
            assert server.url == f"http://[::1]:{server.address.rpartition(':')[2]}"
            assert httpx.get(f"{server.url}/v2/", trust_env=False).status_code == 200
    except NotReady:
        pytest.skip("this machine has no IPv6 loopback")


def test_a_port_that_is_taken() -> None:
    with Server(MemoryStore()) as server:
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(NotReady) as caught:
            Server(MemoryStore(), port=port).start()
        assert str(caught.value) == f"127.0.0.1:{port}: cannot listen here: Address already in use"
        assert caught.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_here(host: str) -> None:
    with pytest.raises(NotReady, match="cannot listen here"):
        Server(MemoryStore(), host).start()


def test_serving_until_stopped() -> None:
    server = Server(MemoryStore())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    wait_until(lambda: not server.address.endswith(":0"))
    assert httpx.get(f"{server.url}/v2/", trust_env=False).status_code == 200
    server.stop()
    thread.join(60)
    assert not thread.is_alive()


def test_writable_needs_a_store_that_can_be_written() -> None:
    class Reading:
        resolve = exists = open = None

    with pytest.raises(UsageError):
        Server(Reading(), writable=True)  # type: ignore[arg-type]


# Who may


@pytest.fixture
def guarded() -> Server:
    return Server(MemoryStore(), writable=True, credentials=("carrier", "pa:ss wört"))


@pytest.mark.parametrize(
    "path", ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/v1", "/v2/a/blobs/sha256:no", "/elsewhere"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_nothing_without_credentials(guarded: Server, path: str, method: str) -> None:
    with guarded, open_http(guarded) as http:
        answer = http.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert method == "HEAD" or code(answer) == "UNAUTHORIZED"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Basic Y2FycmllcjpwYTpzcyB3w7ZydA==", 200),
        ("basic  Y2FycmllcjpwYTpzcyB3w7ZydA==", 200),
        ("Basic Y2FycmllcjpwYTpzcw==", 401),
        ("Basic Y2FycmllcjpwYTpzcyB3w7ZydA", 401),
        ("Basic !", 401),
        ("Basic", 401),
        ("Bearer Y2FycmllcjpwYTpzcyB3w7ZydA==", 401),
    ],
)
def test_credentials(guarded: Server, header: str, status: int) -> None:
    with guarded, open_http(guarded) as http:
        assert http.get("/v2/", headers={"Authorization": header}).status_code == status


def test_a_large_body_without_credentials_is_answered(guarded: Server) -> None:
    """The client reads its 401 though it was still sending, and the server does not take the body in."""
    with guarded, connect(guarded) as connection:
        connection.sendall(b"PUT /v2/a/blobs/uploads/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 400000000\r\n\r\n")
        piece = bytes(1_000_000)
        for _ in range(8):
            connection.sendall(piece)
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in answer


def test_requests_are_told_without_query_or_credentials() -> None:
    seen: list[tuple[str, str, int]] = []
    server = Server(
        MemoryStore(),
        credentials=("name", "secret"),
        on_request=lambda method, path, status: seen.append((method, path, status)),
    )
    with server, open_http(server, auth=("name", "secret")) as http:
        http.get("/v2/?account=name")
        http.head("/v2/a/manifests/v1")
    assert seen == [("GET", "/v2/", 200), ("HEAD", "/v2/a/manifests/v1", 404)]


# TLS


def test_tls(authority: Authority, tmp_path: Path) -> None:
    pair = authority.good()
    content = os.urandom(3_000_000)
    layout = ImageLayout.create(tmp_path)
    with Server(layout, writable=True, tls=(pair.certificate, pair.key)) as server:
        assert server.url.startswith("https://127.0.0.1:")
        with open_http(server, verify=ssl.create_default_context(cafile=authority.ca)) as http:
            client = Client(http)
            digest = client.blob(content)
            assert http.get(client.path(f"blobs/{digest}")).content == content
            part = http.get(client.path(f"blobs/{digest}"), headers={"Range": "bytes=5-1000004"})
            assert part.content == content[5:1_000_005]


def test_a_client_that_stalls_in_the_handshake_stops_nobody(authority: Authority) -> None:
    pair = authority.good()
    context = ssl.create_default_context(cafile=authority.ca)
    server = Server(MemoryStore(), tls=(pair.certificate, pair.key))
    with server, connect(server), open_http(server, verify=context) as http:
        assert http.get("/v2/").status_code == 200


def test_tls_uploads_beside_clients_that_hang_up(authority: Authority) -> None:
    """An error of OpenSSL stays in its thread until somebody clears it; here it would end an upload that waits."""
    pair = authority.good()
    context = ssl.create_default_context(cafile=authority.ca)

    def upload(client: Client, digest: str) -> ssl.SSLSocket:
        """Ask to upload 10 bytes; the server waits for them, and is asked to say so first."""
        sock = context.wrap_socket(connect(server), server_hostname="127.0.0.1")
        target = urlsplit(client.begin()).path
        headers = "Host: h\r\nConnection: close\r\nContent-Length: 10\r\nExpect: 100-continue"
        sock.sendall(f"PUT {target}?digest={digest} HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 100 ")
        return sock

    with (
        Server(MemoryStore(), writable=True, tls=(pair.certificate, pair.key)) as server,
        open_http(server, verify=context) as http,
    ):
        client = Client(http)
        for number in range(20):
            content = f"{number:010}".encode()
            with upload(client, digest_of(content)) as broken:
                broken.sendall(b"12345")
                broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with upload(client, digest_of(content)) as whole:
                whole.sendall(content)
                assert whole.recv(65536).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_plain_http_to_a_tls_port_is_answered(authority: Authority, method: str) -> None:
    pair = authority.good()
    with Server(MemoryStore(), tls=(pair.certificate, pair.key)) as server, connect(server) as connection:
        connection.sendall(f"{method} /v2/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.settimeout(5)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"HTTP request to an HTTPS server" in answer


def test_plain_http_to_a_tls_port_ends_quietly(authority: Authority, capfd: pytest.CaptureFixture[str]) -> None:
    pair = authority.good()
    with Server(MemoryStore(), tls=(pair.certificate, pair.key)) as server:
        assert b"200" not in ask(server, b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        with open_http(server, verify=ssl.create_default_context(cafile=authority.ca)) as http:
            assert http.get("/v2/").status_code == 200
    assert capfd.readouterr() == ("", "")


def test_certificates_that_cannot_be_used(authority: Authority, tmp_path: Path) -> None:
    one, other = authority.good(), authority.wrong_host()
    (tmp_path / "text").write_text("no certificate")
    for certificate, key in (
        (one.certificate, other.key),
        (tmp_path / "text", one.key),
        (tmp_path / "absent", one.key),
    ):
        with pytest.raises(NotReady) as caught:
            Server(MemoryStore(), tls=(certificate, key)).start()
        assert str(certificate) in str(caught.value)


# Requests of every odd kind


@pytest.mark.parametrize(
    "path", ["/", "/v1/", "/v2/a", "/v2/a/b/c", "/v2//", "/v3/_catalog", "/favicon.ico", "/v2/_catalog/x"]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_paths_that_mean_nothing(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 404
    code(answer)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v2/", "GET, HEAD"),
        ("DELETE", "/v2/_catalog", "GET, HEAD"),
        ("PUT", "/v2/a/tags/list", "GET, HEAD"),
        ("POST", "/v2/a/manifests/v1", "DELETE, GET, HEAD, PUT"),
        ("OPTIONS", "/v2/a/manifests/v1", "DELETE, GET, HEAD, PUT"),
        ("PUT", "/v2/a/blobs/sha256:x", "DELETE, GET, HEAD"),
        ("GET", "/v2/a/blobs/uploads/", "POST"),
        ("POST", "/v2/a/blobs/uploads/x", "DELETE, GET, PATCH, PUT"),
        ("HEAD", "/v2/a/blobs/uploads/x", "DELETE, GET, PATCH, PUT"),
        ("BREW", "/v2/a/referrers/x", "GET, HEAD"),
    ],
)
def test_methods_that_mean_nothing(http: httpx.Client, method: str, path: str, allow: str) -> None:
    answer = http.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allow)
    assert method == "HEAD" or code(answer) == "UNSUPPORTED"


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../etc",
        "a/../b",
        "A",
        "a//b",
        "-a",
        "a/",
        "a___b",
        "a" * 256,
        "a/%2e%2e/b",
        "a%00b",
        "%C3%A9",
        "a%20b",
    ],
)
def test_names_that_no_repository_may_have(server: Server, name: str) -> None:
    for path in (f"{name}/manifests/v1", f"{name}/blobs/sha256:{'0' * 64}", f"{name}/tags/list"):
        answer = ask(server, f"GET /v2/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert b"NAME_INVALID" in answer
    post = ask(server, f"POST /v2/{name}/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b"NAME_INVALID" in post


@pytest.mark.parametrize("name", ["a" * 255, "a/manifests/b", "blobs/uploads", "tags/list", "a_b/c__d/e--f/1.2"])
def test_unusual_names_of_repositories(http: httpx.Client, name: str) -> None:
    client = Client(http, name)
    manifest = client.image("v1")
    assert http.get(client.path("manifests/v1")).content == manifest
    assert http.get(client.path("tags/list")).json()["tags"] == ["v1"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\n\r\n",
        b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET /v2/" + b"a" * 100_000,
    ],
)
def test_what_is_no_request(
    server: Server, http: httpx.Client, garbage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert b"HTTP/1.1 2" not in ask(server, garbage)
    assert http.get("/v2/").status_code == 200
    assert capfd.readouterr() == ("", "")


def test_clients_that_leave(client: Client, server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    digest = client.blob(bytes(20_000_000))
    for _ in range(15):  # more than there are workers
        with connect(server) as connection:
            connection.sendall(f"GET {client.path(f'blobs/{digest}')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert client.http.get("/v2/").status_code == 200
    assert capfd.readouterr() == ("", "")


class Broken(MemoryStore):
    """A store that fails in a way of its own choice."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def resolve(self, name: str) -> Descriptor:
        raise self._error

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error", [RuntimeError("secret /path"), AirgapError("secret /path"), OSError(28, "secret /path")]
)
def test_bugs_and_failures_are_answered_without_their_insides(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(Broken(error), writable=True) as server, open_http(server) as http, caplog.at_level(logging.WARNING):
        for answer in (
            http.get("/v2/a/manifests/v1"),
            http.post("/v2/a/blobs/uploads/", params={"digest": digest_of(b"x")}, content=b"x"),
        ):
            assert (answer.status_code, code(answer)) == (500, "UNKNOWN")
            assert "secret" not in answer.text
    assert "secret /path" in caplog.text


def test_a_blob_that_is_damaged_never_arrives_whole(tmp_path: Path, authority: Authority) -> None:
    """With TLS every byte passes the server's hash; a cut file ends the answer early by either way."""
    layout = ImageLayout.create(tmp_path)
    content = os.urandom(3_000_000)
    digest = digest_of(content)
    layout.push(Descriptor("", digest, len(content)), bytes_opener(content))
    path = tmp_path / "blobs" / "sha256" / digest.partition(":")[2]
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    pair = authority.good()
    context = ssl.create_default_context(cafile=authority.ca)
    with (
        Server(layout, tls=(pair.certificate, pair.key)) as server,
        open_http(server, verify=context) as http,
        pytest.raises(httpx.HTTPError),
    ):
        http.get(f"/v2/a/blobs/{digest}")


class Cut(MemoryStore):
    """A store whose readers end too early."""

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        return bytes_opener(b"x" * (descriptor.size // 2))(0)


def test_a_reader_that_ends_early_breaks_the_answer_off() -> None:
    store: Source = Cut()
    with Server(store, writable=True) as server, open_http(server) as http:
        path = Client(http).path(f"blobs/{Client(http).blob(bytes(100_000))}")
        with pytest.raises(httpx.RemoteProtocolError):
            http.get(path)
        assert http.get("/v2/").status_code == 200


def test_a_manifest_that_is_damaged_is_not_given(tmp_path: Path) -> None:
    layout = ImageLayout.create(tmp_path)
    with Server(layout, writable=True) as server, open_http(server) as http:
        client = Client(http)
        digest = digest_of(client.image("v1"))
        path = tmp_path / "blobs" / "sha256" / digest.partition(":")[2]
        path.write_bytes(path.read_bytes().replace(b"1", b"2"))
        answer = http.get(client.path("manifests/v1"))
    assert (answer.status_code, code(answer)) == (500, "UNKNOWN")
    assert str(tmp_path) not in answer.text


def test_many_clients_at_once(client: Client, server: Server) -> None:
    failures: list[str] = []

    def push(number: int) -> None:
        with open_http(server) as http:
            own = Client(http, f"many/n{number % 4}")
            try:
                manifest = own.image(f"v{number}", f"text {number % 3}")
                assert http.get(own.path(f"manifests/v{number}")).content == manifest
            except (AssertionError, httpx.HTTPError) as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=push, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    found = [client.http.get(f"/v2/many/n{number}/tags/list").json()["tags"] for number in range(4)]
    assert sorted(tag for tags in found for tag in tags) == sorted(f"v{number}" for number in range(16))


# Memory

_SERVE = """
import sys
from pathlib import Path
from airgap.server import Server
from airgap.store import ImageLayout
server = Server(ImageLayout.create(sys.argv[1]), writable=True, uploads=sys.argv[1])
server.start()
print(server.url, flush=True)
sys.stdin.readline()
server.stop()
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], flush=True)
"""


def test_memory_stays_flat_however_large_the_blob(tmp_path: Path) -> None:
    """Push 128 MiB as one part, as one chunk, and as chunks, then pull it: a process that held it would show it."""
    size, piece = 128 * 1024 * 1024, bytes(1024 * 1024)
    hash_ = hashlib.sha256()
    for _ in range(size // len(piece)):
        hash_.update(piece)
    digest = f"sha256:{hash_.hexdigest()}"
    command = [sys.executable, "-c", _SERVE, str(tmp_path / "layout")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), environment["PYTHONPATH"]])
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=60) as http:
            client = Client(http)

            def pieces() -> object:
                return (piece for _ in range(size // len(piece)))

            length = {"Content-Length": str(size)}
            put = http.put(client.begin(), params={"digest": digest}, content=pieces(), headers=length)  # type: ignore[arg-type]
            assert put.status_code == 201
            patched = http.patch(client.begin(), content=pieces())  # type: ignore[arg-type]
            assert patched.status_code == 202
            assert http.put(patched.headers["Location"], params={"digest": digest}).status_code == 201
            one_chunk(url, client.begin(), size, piece)
            with http.stream("GET", client.path(f"blobs/{digest}")) as answer:
                assert sum(len(part) for part in answer.iter_raw(1024 * 1024)) == size
        process.stdin.write("\n")
        process.stdin.close()
        peak = int(process.stdout.readline())
    assert peak < 64 * 1024, f"{peak} KiB"


def one_chunk(url: str, upload: str, size: int, piece: bytes) -> None:
    """A client may put the whole body into a single chunk."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        head = f"PATCH {upload} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n"
        connection.sendall(head.encode())
        for _ in range(size // len(piece)):
            connection.sendall(piece)
        connection.sendall(b"\r\n0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 202 ")

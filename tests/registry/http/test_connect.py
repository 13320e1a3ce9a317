# SPDX-License-Identifier: Apache-2.0
"""Getting to a registry at all: schemes, certificates, and what answers there that is none."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap.errors import AirgapError, Interrupted, Rejected, Unavailable, UsageError
from airgap.registry import RegistrySettings
from airgap.registry.settings import is_loopback
from airgap.server import Server
from airgap.store import MemoryStore
from tests.doubles.registry import Answer, Double, Shelf, double
from tests.parts.certificates import Authority, Pair
from tests.parts.dockerregistry import docker_registry
from tests.parts.faulty_line import CLOSE, STALL, Break
from tests.parts.service import free_port
from tests.parts.waiting import at_rest, wait_until
from tests.registry.tools import ELSEWHERE, Network, together
from tests.suites.store_suite import described, read_all

SECURE = RegistrySettings(plain_http=False)


def fails(network: Network, address: str, settings: RegistrySettings) -> AirgapError:
    """The error of a first request, which must come without waiting."""
    began = time.monotonic()
    with pytest.raises(AirgapError) as caught:
        network.registries(default=settings).repository(address, "team/app").resolve("v1")
    assert time.monotonic() - began < 15  # the time-outs are longer
    assert network.recorder.sleeps == []
    return caught.value


def words(error: AirgapError) -> str:
    return f"{error} | {error.hint}"


# Where requests go


@pytest.mark.parametrize(
    ("settings", "registry", "expected"),
    [
        (RegistrySettings(), "quay.io", "https://quay.io"),
        (RegistrySettings(), "docker.io", "https://registry-1.docker.io"),
        (RegistrySettings(), "10.0.0.1:30018", "https://10.0.0.1:30018"),
        (RegistrySettings(), "localhost:5000", "http://localhost:5000"),
        (RegistrySettings(), "127.0.0.1:5000", "http://127.0.0.1:5000"),
        (RegistrySettings(), "[::1]:5000", "http://[::1]:5000"),
        (RegistrySettings(plain_http=True), "10.0.0.1:30018", "http://10.0.0.1:30018"),
        (RegistrySettings(plain_http=False), "127.0.0.1:5000", "https://127.0.0.1:5000"),
        (RegistrySettings(mirror="127.0.0.1:5000"), "quay.io", "http://127.0.0.1:5000"),
        (RegistrySettings(mirror="https://m.test/path/"), "quay.io", "https://m.test/path"),
        (RegistrySettings(endpoint="http://nexus.svc:8082"), "10.0.0.1:1", "http://nexus.svc:8082"),
        (RegistrySettings(endpoint="nexus.svc:8082", plain_http=True), "10.0.0.1:1", "http://nexus.svc:8082"),
        (RegistrySettings(endpoint="http://user:pw@nexus.svc"), "10.0.0.1:1", "http://nexus.svc"),
        (RegistrySettings(mirror="https://m.test", plain_http=True), "quay.io", "https://m.test"),
    ],
)
def test_base_url(settings: RegistrySettings, registry: str, expected: str) -> None:
    assert settings.base_url(registry) == expected


@pytest.mark.parametrize("address", ["ftp://x", "http://", "http://[x", "http://x:99999", "http://x:port"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError, match="no address of a registry"):
        RegistrySettings(endpoint=address).base_url("r.test")


def test_loopback() -> None:
    for name in ("localhost", "LOCALHOST:80", "a.localhost", "127.0.0.1", "127.1.2.3:1", "[::1]", "[::1]:5000"):
        assert is_loopback(name), name
    for name in ("localhost.example.com", "10.0.0.1", "notlocalhost", "[::2]:1", "128.0.0.1", "127.example.com"):
        assert not is_loopback(name), name


def test_https_by_default(network: Network) -> None:
    """A name that is not loopback is asked over TLS: what arrives at the proxy is CONNECT."""
    from tests.parts.proxy import http_proxy

    with http_proxy() as proxy:
        registries = network.registries(environment={"HTTPS_PROXY": proxy.url, "HTTP_PROXY": proxy.url})
        with pytest.raises(Unavailable):
            registries.repository(ELSEWHERE, "team/app").resolve("v1")
        assert proxy.connects == [f"{ELSEWHERE}:443"]
        assert proxy.requests == []


# Certificates


@pytest.fixture
def over(services: object, authority: Authority) -> Iterator[Callable[[Pair], Server]]:
    running: list[Server] = []

    def start(pair: Pair) -> Server:
        running.append(Server(MemoryStore(), tls=(pair.certificate, pair.key)))
        running[-1].start()
        return running[-1]

    yield start
    for server in running:
        server.stop()


def test_a_private_authority(
    network: Network, authority: Authority, over: Callable[[Pair], Server], tmp_path: Path
) -> None:
    server = over(authority.good())
    error = fails(network, server.address, SECURE)
    assert error.exit_code == 24
    assert "--ca-file" in words(error)
    assert "127.0.0.1, localhost" in words(error)
    for settings in (
        RegistrySettings(plain_http=False, ca_file=str(authority.ca)),
        RegistrySettings(plain_http=False, insecure=True),
    ):
        registries = network.registries(default=settings)
        assert not registries.repository(server.address, "team/app").exists(described(b"x"))


def test_the_default_authority_holds_beside_settings(
    network: Network, authority: Authority, over: Callable[[Pair], Server]
) -> None:
    server = over(authority.good())
    registries = network.registries({server.address: SECURE}, default=RegistrySettings(ca_file=str(authority.ca)))
    assert not registries.repository(server.address, "team/app").exists(described(b"x"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("expired", ["expired", "127.0.0.1, localhost", "clock"]),
        ("not_yet", ["not yet valid", "127.0.0.1, localhost", "clock"]),
        ("wrong_host", ["127.0.0.1", "elsewhere.example"]),
        ("self_signed", ["self", "127.0.0.1, localhost", "--ca-file"]),
    ],
)
def test_bad_certificates(
    network: Network, authority: Authority, over: Callable[[Pair], Server], kind: str, expected: list[str]
) -> None:
    server = over(getattr(authority, kind)())
    ca = str(authority.ca) if kind != "self_signed" else ""
    error = fails(network, server.address, RegistrySettings(plain_http=False, ca_file=ca))
    assert isinstance(error, Unavailable)
    assert error.exit_code == 24
    assert "not trusted" in words(error)
    for word in expected:
        assert word in words(error), words(error)
    registries = network.registries(default=RegistrySettings(plain_http=False, insecure=True))
    assert not registries.repository(server.address, "team/app").exists(described(b"x"))


def test_a_self_signed_certificate_given_as_authority(
    network: Network, authority: Authority, over: Callable[[Pair], Server]
) -> None:
    """As the hint for it says."""
    pair = authority.self_signed()
    settings = RegistrySettings(plain_http=False, ca_file=str(pair.certificate))
    server = over(pair)
    assert not network.registries(default=settings).repository(server.address, "team/app").exists(described(b"x"))


def test_a_certificate_with_a_common_name_alone(
    network: Network, tmp_path: Path, over: Callable[[Pair], Server]
) -> None:
    """What old guides make: valid for browsers of ten years ago."""
    pair = Pair(tmp_path / "cn.crt", tmp_path / "cn.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-days", "30", "-keyout", str(pair.key), "-out", str(pair.certificate)]
    subprocess.run(command, check=True, capture_output=True)
    server = over(pair)
    error = fails(network, server.address, RegistrySettings(plain_http=False, ca_file=str(pair.certificate)))
    assert error.exit_code == 24
    assert "no SANs" in words(error)


def test_ca_files_that_are_none(network: Network, tmp_path: Path) -> None:
    for name, content in (("absent", None), ("text", b"hello"), ("folder", None)):
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        error = fails(network, "127.0.0.1:1", RegistrySettings(plain_http=False, ca_file=str(file)))
        assert isinstance(error, UsageError)
        assert str(file) in words(error)


# The wrong protocol


def test_http_answered_to_https(network: Network, peer: Double) -> None:
    error = fails(network, peer.address, SECURE)
    assert isinstance(error, Unavailable)
    assert error.exit_code == 24
    for word in ("plain HTTP", "--plain-http", f"http://{peer.address}", f"certs.d/{peer.address}/hosts.toml"):
        assert word in words(error), words(error)


@pytest.mark.requires("docker-registry")
def test_docker_registry_answers_http_to_https(network: Network, tmp_path: Path) -> None:
    with docker_registry(tmp_path / "r") as registry:
        assert "hosts.toml" in words(fails(network, registry.address, SECURE))


def test_our_server_answers_https_to_http(
    network: Network, authority: Authority, over: Callable[[Pair], Server]
) -> None:
    server = over(authority.good())
    assert "leave --plain-http and http:// out" in words(fails(network, server.address, RegistrySettings()))


@pytest.mark.requires("docker-registry")
def test_docker_registry_answers_https_to_http(network: Network, authority: Authority, tmp_path: Path) -> None:
    with docker_registry(tmp_path / "r", tls=authority.good()) as registry:
        for ask in ("resolve", "manifest"):
            with pytest.raises((Unavailable, Rejected)) as caught:
                getattr(network.registries().repository(registry.address, "team/app"), ask)("v1")
            assert "leave --plain-http and http:// out" in words(caught.value)
        assert network.recorder.sleeps == []


def test_nginx_s_words(network: Network, peer: Double) -> None:
    body = b"<html><center>The plain HTTP request was sent to HTTPS port</center></html>"
    peer.always("", "", Answer(400, body))
    with pytest.raises(Unavailable, match="speaks HTTPS"):
        network.registries().repository(peer.address, "team/app").manifest("v1")


def test_a_tls_alert(network: Network, peer: Double) -> None:
    """What TLS libraries answer to plain HTTP where nothing stands before them."""
    peer.always("", "", Answer(raw=b"\x15\x03\x01\x00\x02\x02\x16", broken=Break(STALL)))
    error = fails(network, peer.address, RegistrySettings())
    assert "does not speak HTTP" in words(error)
    assert "leave --plain-http" in words(error)


def test_something_else_listens(network: Network, peer: Double) -> None:
    peer.always("", "", Answer(raw=b"SSH-2.0-OpenSSH_10.0\r\n"))
    assert "does not speak HTTP" in words(fails(network, peer.address, RegistrySettings()))


# Nobody there


def test_connection_refused(network: Network) -> None:
    error = fails(network, f"127.0.0.1:{free_port()}", RegistrySettings())
    assert isinstance(error, Unavailable)
    assert "refused" in words(error)


def test_an_unknown_host(network: Network) -> None:
    error = fails(network, "registry.invalid", RegistrySettings())
    assert isinstance(error, Unavailable)
    assert "registry.invalid is unknown" in words(error)
    assert "HTTPS_PROXY" in words(error)


def test_refused_after_it_had_answered_is_waited_for(network: Network, shelf: Shelf) -> None:
    """A registry that is being restarted comes back; one that never was there does not."""
    registries = network.registries()
    with double(shelf) as peer:
        registries.repository(peer.address, "team/app").resolve("v1")
    with pytest.raises(Unavailable):
        registries.repository(peer.address, "team/app").resolve("v1")
    assert len(network.recorder.sleeps) == 4


@pytest.mark.parametrize(
    "evil",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\r\n" * 50,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
    ],
)
def test_answers_that_are_no_http(network: Network, peer: Double, evil: bytes) -> None:
    peer.always("", "", Answer(raw=evil))
    with pytest.raises(AirgapError):
        network.registries(attempts=2).repository(peer.address, "team/app").manifest("v1")


def test_an_absurdly_long_answer(network: Network, peer: Double) -> None:
    peer.always("GET", "", Answer(200, b"x", say_length=1 << 40, broken=Break(CLOSE, 1)))
    with pytest.raises(AirgapError):
        network.registries(attempts=1).repository(peer.address, "team/app").manifest("v1")


# Stopping


def stalled(peer: Double, method: str, fragment: str) -> None:
    peer.always(method, fragment, Answer(200, b"x" * 1000, broken=Break(STALL, 10)))


@pytest.mark.parametrize("where", ["body", "answer", "connect", "handshake"])
def test_abort_ends_whatever_is_blocked(network: Network, peer: Double, where: str) -> None:
    registries = network.registries(default=RegistrySettings(plain_http=where != "handshake"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = []
    try:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        if where == "body":
            stalled(peer, "GET", "/manifests/")
            address = peer.address
        elif where == "answer":
            peer.always("GET", "", Answer(200, broken=Break(STALL)))
            address = peer.address
        elif where == "connect":
            # Nobody accepts, and the queue is full: the next connection is never answered.
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
                fillers.append(filler)
        asking, began = list[int](), list[float]()

        def ask(_: int) -> object:
            asking.append(threading.get_native_id())
            return registries.repository(address, "team/app").manifest("v1")

        def abort() -> None:
            wait_until(at_rest(os.getpid(), lambda: asking))
            began.append(time.monotonic())
            registries.abort()

        aborting = threading.Thread(target=abort)
        aborting.start()
        (outcome,) = together(1, ask)
        ended = time.monotonic()
        aborting.join()
        assert isinstance(outcome, Interrupted), outcome
        assert ended - began[0] < 15  # the time-outs are longer
        with pytest.raises(Interrupted):
            registries.repository(address, "team/app").manifest("v1")
    finally:
        for sock in (*fillers, listener):
            sock.close()


def test_abort_ends_waiting_too(peer: Double, tmp_path: Path) -> None:
    from airgap.registry import Credentials, Registries

    peer.always("", "", Answer(503, headers={"Retry-After": "60"}))
    environment = {"HOME": str(tmp_path)}
    with Registries(credentials=Credentials(environment), environment=environment) as registries:
        asking = threading.get_native_id()

        def abort() -> None:
            wait_until(lambda: peer.count())
            wait_until(at_rest(os.getpid(), lambda: [asking]))
            registries.abort()

        aborting = threading.Thread(target=abort)
        aborting.start()
        began = time.monotonic()
        with pytest.raises(Interrupted):
            registries.repository(peer.address, "team/app").manifest("v1")
        assert time.monotonic() - began < 45  # it was told to wait for a minute
        aborting.join()


def test_a_file_by_its_address(network: Network, peer: Double) -> None:
    peer.on("GET", "/a/install.yaml?x=1", Answer(302, headers={"Location": "/b"}))
    peer.on("GET", "/b", Answer(200, b"kind: List\n"))
    assert network.registries().download(f"{peer.url}/a/install.yaml?x=1") == b"kind: List\n"
    assert all(not r.authorization for r in peer.requests)


def test_tls_bodies(network: Network, authority: Authority, shelf: Shelf) -> None:
    digest, content = next(iter(shelf.blobs["team/app"].items()))
    with double(shelf, tls=authority.good().context()) as peer:
        registries = network.registries(default=RegistrySettings(plain_http=False, ca_file=str(authority.ca)))
        assert read_all(registries.repository(peer.address, "team/app").open(described(content))) == content
        assert described(content).digest == digest


def test_strict_checks_are_not_ours(authority: Authority) -> None:
    """Newer Pythons refuse what nodes take: certificates without key identifiers."""
    from airgap.registry.http.connect import ConnectionKey, Connector, Trust

    made = Connector().connection(ConnectionKey("https", "r.test", 443, Trust(str(authority.ca))), None)
    context = made._context  # type: ignore[attr-defined] # not in the stubs
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname

# SPDX-License-Identifier: Apache-2.0
"""The nginx configuration of manifests/nexus/tls.yaml, run by a real nginx before a small HTTP server.

Only addresses and folders are changed. The certificate is made by the README's own command.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.parts.service import accepts
from tests.parts.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
LAYER = b"layer " * 1_000_000  # 6 MB, above nginx's default limit of 1 MiB


@dataclass
class Seen:
    """What the server behind the proxy was sent."""

    headers: list[dict[str, str]] = field(default_factory=list)
    first_bytes_at: float = 0.0
    digest: str = ""


class Registry(BaseHTTPRequestHandler):
    """Stands where Nexus's connector is: notes what comes and answers."""

    protocol_version = "HTTP/1.1"
    seen: Seen

    def do_GET(self) -> None:
        self.seen.headers.append({key.lower(): value for key, value in self.headers.items()})
        self.send_response(401)
        self.send_header("WWW-Authenticate", f'Bearer realm="https://{self.headers["Host"]}/v2/token"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        left, found = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            part = self.rfile.read1(min(left, 65536))
            assert part, "the body was cut"
            self.seen.first_bytes_at = self.seen.first_bytes_at or time.monotonic()
            found.update(part)
            left -= len(part)
        self.seen.digest = found.hexdigest()
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Proxy:
    port: int
    context: ssl.SSLContext
    seen: Seen
    folder: Path

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def certificate(folder: Path, address: str) -> None:
    """Run the openssl line of the README in ``folder``, for another IP address."""
    text = (ROOT / "manifests" / "README.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("openssl req ")]
    assert line in (ROOT / "manifests" / "README.ko.md").read_text(encoding="utf-8")
    arguments = shlex.split(line.replace("IP:172.25.0.84", f"IP:{address}"))
    subprocess.run(arguments, cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed (Debian: nginx-light)")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    certificate(folder, "127.0.0.1")

    seen = Seen()
    registry = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Registry,), {"seen": seen}))
    thread = threading.Thread(target=registry.serve_forever)
    thread.start()

    (config,) = [
        item["data"]["nginx.conf"]
        for item in yaml.safe_load_all((ROOT / "manifests/nexus/tls.yaml").read_text(encoding="utf-8"))
        if item["kind"] == "ConfigMap"
    ]
    port = free_port()
    for old, new in (
        ("listen 8443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("http://nexus-docker-http.nexus.svc:8082", f"http://127.0.0.1:{registry.server_port}"),
        ("/tmp/", f"{folder}/"),
        ("/tls/tls.", f"{folder}/tls."),
        ("/dev/stdout", f"{folder}/access.log"),
        ("/dev/stderr", f"{folder}/error.log"),
    ):
        assert old in config, old
        config = config.replace(old, new)
    (folder / "nginx.conf").write_text(config, encoding="utf-8")

    # Started by root, nginx would hand its workers to a user who cannot enter pytest's folder.
    user = "user root;" if os.geteuid() == 0 else ""
    process = subprocess.Popen(
        [nginx, "-e", "stderr", "-c", str(folder / "nginx.conf"), "-g", f"daemon off; {user}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    context = ssl.create_default_context(cafile=str(folder / "tls.crt"))
    try:
        wait_until(lambda: process.poll() is not None or accepts(port))
        if process.returncode is not None:
            assert process.stderr is not None
            pytest.fail("nginx did not start: " + process.stderr.read().decode())
        yield Proxy(port, context, seen, folder)
    finally:
        process.terminate()
        process.wait(timeout=20)
        if process.stderr is not None:
            process.stderr.close()
        registry.shutdown()
        registry.server_close()
        thread.join(timeout=20)


def test_the_client_is_sent_back_to_the_port_that_it_used(proxy: Proxy) -> None:
    connection = proxy.connect()
    try:
        connection.request("GET", "/v2/")
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="https://127.0.0.1:{proxy.port}/v2/token"'
    (headers,) = proxy.seen.headers
    assert headers["host"] == headers["x-forwarded-host"] == f"127.0.0.1:{proxy.port}"
    assert headers["x-forwarded-proto"] == "https"


def test_a_layer_passes_whole_and_while_it_is_sent(proxy: Proxy) -> None:
    """Larger than nginx allows by default, and at the registry before the client has sent the last byte."""
    connection = proxy.connect()
    try:
        connection.putrequest("PUT", "/v2/a/blobs/uploads/1?digest=sha256:0")
        connection.putheader("Content-Length", str(len(LAYER)))
        connection.endheaders()
        connection.send(LAYER[:-1])
        wait_until(lambda: proxy.seen.first_bytes_at)  # else the proxy keeps the body back
        connection.send(LAYER[-1:])
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    assert answer.status == 201
    assert proxy.seen.digest == hashlib.sha256(LAYER).hexdigest()
    kept = [path for path in (proxy.folder / "body").rglob("*") if path.is_file()]
    assert not kept


def test_its_own_health_does_not_ask_the_registry(proxy: Proxy) -> None:
    before = len(proxy.seen.headers)
    connection = proxy.connect()
    try:
        connection.request("GET", "/-/healthy")
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    assert answer.status == 204
    assert len(proxy.seen.headers) == before
    tls = (ROOT / "manifests" / "nexus" / "tls.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"path: (/-/\S+?),", tls)) == {"/-/healthy"}


def test_the_certificate_names_the_address(proxy: Proxy) -> None:
    """The README's command gives a certificate that holds for the IP; another address is refused."""
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as sock,
        pytest.raises(ssl.SSLCertVerificationError, match=r"172\.25\.0\.99"),
    ):
        proxy.context.wrap_socket(sock, server_hostname="172.25.0.99")

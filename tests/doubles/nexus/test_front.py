# SPDX-License-Identifier: Apache-2.0
"""The double behind a real nginx: prefixes, body limits, buffering, time-outs and forwarded headers (5, 14, 44)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.nexus import Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import BLOB, DIGEST, ask, push, token_of, upload
from tests.doubles.nexus.content import digest_of
from tests.parts.certificates import Authority
from tests.parts.images import Images
from tests.parts.nginx import Forwarded, nginx
from tests.parts.waiting import wait_until

pytestmark = [pytest.mark.interop, pytest.mark.requires("nginx")]

OPEN = (Repository("docker-hosted", connector="http", force_basic=False),)
LARGE = bytes(2_000_000)


@pytest.fixture
def double() -> Iterator[Nexus]:
    with nexus(Settings(repositories=OPEN)) as server:
        yield server


@pytest.mark.parametrize("realm", ["prefixed", "bare"])
def test_05_a_repositorys_path_as_the_root_of_a_host(tmp_path: Path, realm: str) -> None:
    """The strategy of mapping a host to ``/repository/<repository>/``: the Location without prefix (14) is then just
    right, and a token's URL with the prefix wants that path let through."""
    images = Images(1)
    root = images.image()
    with nexus(Settings(repositories=OPEN, repository_realm=realm)) as double:  # type: ignore[arg-type]  # of two
        inside = f"{double.main.url}/repository/"
        places = {"/": f"{inside}docker-hosted/"} | ({"/repository/": inside} if realm == "prefixed" else {})
        with nginx(tmp_path / "nginx", places) as front:
            first = ask("GET", f"{front.url}/v2/", user=None)
            prefix = "/repository/docker-hosted" if realm == "prefixed" else ""
            assert f'realm="{front.url}{prefix}/v2/token"' in first.headers["WWW-Authenticate"]
            session = ask("POST", f"{front.url}/v2/a/blobs/uploads/", b"")
            assert ask("PUT", f"{front.url}{session.headers['Location']}?digest={DIGEST}", BLOB).status == 201
            headers = {"Authorization": token_of(first)}
            assert push(front.url, images, "a", "v1", root, headers).status == 201
        assert double.repository().tags == {"a": {"v1": root.digest}}
        assert {one.route for one in double.asked()} == {"repository"}


def test_01_a_subpath_of_an_ingress(tmp_path: Path) -> None:
    with (
        nexus(Settings(context="/nexus", repositories=OPEN)) as double,
        nginx(tmp_path / "nginx", {"/nexus/": double.main.url}) as front,
    ):
        assert upload(f"{front.url}/nexus/repository/docker-hosted", "a").status == 201
        assert ask("GET", f"{front.url}/nexus/service/rest/v1/status", user=None).status == 200
        assert ask("GET", f"{front.url}/v2/").status == 404
    assert front.lines()[-1] == "404 GET /v2/"  # written after the answer: it is whole when nginx has ended


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("right", "https://{front}/v2/token"),
        ("none", "http://{inside}/v2/token"),
        ("no-port", "https://127.0.0.1/v2/token"),
        ("http", "http://{front}/v2/token"),
        ("http443", "http://127.0.0.1:443/v2/token"),
    ],
)
def test_05_forwarded_headers_decide_the_tokens_url(
    tmp_path: Path, double: Nexus, authority: Authority, forwarded: Forwarded, expected: str
) -> None:
    trust = ssl.create_default_context(cafile=str(authority.ca))
    places = {"/": double.connector().url}
    with nginx(tmp_path / "nginx", places, tls=authority.good(), forwarded=forwarded) as front:
        said = ask("GET", f"{front.url}/v2/", user=None, tls=trust)
        expected = expected.format(front=front.address, inside=double.connector().address)
        assert f'realm="{expected}"' in said.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("body_size", "status"), [("1m", 413), ("0", 201)])
def test_44_the_body_limit_of_an_ingress(tmp_path: Path, double: Nexus, body_size: str, status: int) -> None:
    with nginx(tmp_path / "nginx", {"/": double.connector().url}, body_size=body_size) as front:
        said = upload(front.url, "a", LARGE)
    assert said.status == status
    assert (digest_of(LARGE) in double.repository().blobs) == (status == 201)
    if status == 413:
        assert said.headers["Server"].startswith("nginx")
        assert not double.asked("PUT")


@pytest.mark.parametrize("buffering", [True, False])
def test_44_buffering_keeps_a_body_back(tmp_path: Path, buffering: bool) -> None:
    with (
        nexus(Settings(drains=True)) as double,  # closing early would make nginx say 502 now and then
        nginx(tmp_path / "nginx", {"/": double.connector().url}, request_buffering=buffering) as front,
    ):
        host, _, port = front.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as link:
            link.sendall(b"PUT /v2/a/blobs/uploads/0 HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
            link.sendall(bytes(100_000))
            if buffering:
                # nginx has one worker: what came before this request it has read by the time it answers.
                assert ask("GET", f"{front.url}/v2/", user=None).status == 401
                assert double.connector().count("PUT") == 0
            else:
                wait_until(lambda: double.connector().count("PUT") == 1)
            link.sendall(bytes(200_000))
            assert link.recv(12) == b"HTTP/1.1 401"


def test_44_an_impatient_ingress(tmp_path: Path) -> None:
    with (
        nexus(Settings(repositories=OPEN, commit_seconds=1.6)) as double,
        nginx(tmp_path / "nginx", {"/": double.connector().url}, read_timeout="1s") as front,
    ):
        said = upload(front.url, "a")
        assert (said.status, b"nginx" in said.body) == (504, True)
        wait_until(lambda: double.repository().blobs)
        assert ask("HEAD", f"{front.url}/v2/a/blobs/{DIGEST}").status == 200

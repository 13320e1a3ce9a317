# SPDX-License-Identifier: Apache-2.0
"""Statements 9 to 11 and 44: offline, frozen, the forms of errors, early answers and failures on purpose."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import pytest

from tests.doubles.nexus import ADMIN, Repository, Settings, nexus
from tests.doubles.nexus.asking import BLOB, DIGEST, ask, session_url, upload
from tests.doubles.nexus.settings import ErrorStyle


def test_09_offline_and_unknown() -> None:
    with nexus(Settings(repositories=(Repository("docker-hosted", online=False),))) as double:
        said = ask("GET", f"{double.root('repository')}/v2/")
        assert (said.status, said.body) == (503, b"Repository offline")
        double.repository().settings = replace(double.repository().settings, online=True)
        assert ask("GET", f"{double.root('repository')}/v2/").status == 200
        said = ask("GET", f"{double.url}/repository/no-such/v2/")
        assert (said.status, said.body) == (404, b"Repository not found")


def test_09_frozen_refuses_writing_alone() -> None:
    with nexus(Settings(frozen=True)) as double:
        url = double.connector().url
        said = upload(url, "a")
        assert said.status == 503
        assert b"read-only" in said.body
        assert ask("PUT", f"{url}/v2/a/manifests/v1", b"{}").status == 503
        assert ask("DELETE", f"{url}/v2/a/manifests/v1", user=ADMIN).status == 503
        assert ask("GET", f"{url}/v2/_catalog").status == 200
        assert ask("GET", f"{double.url}/service/rest/v1/status/writable", user=None).status == 503
        double.frozen = False
        assert upload(url, "a").status == 201
        assert ask("GET", f"{double.url}/service/rest/v1/status/writable", user=None).status == 200


@pytest.mark.parametrize("style", ["json", "html", "text", "reason"])
def test_10_errors_come_in_four_forms(style: ErrorStyle) -> None:
    denied = (Repository("docker-hosted", connector="http", write_policy="DENY"),)
    with nexus(Settings(repositories=denied, errors=style)) as double:
        said = upload(double.connector().url, "a")
    assert said.status == 400
    assert "is read-only" in (said.reason if style == "reason" else said.body.decode())
    kinds = {"json": "application/json", "html": "text/html", "text": "text/plain", "reason": None}
    assert said.headers["Content-Type"] == kinds[style]
    assert (said.body == b"") == (style == "reason")


@pytest.mark.parametrize("drains", [False, True])
def test_11_a_refused_body_is_not_read(drains: bool) -> None:
    """The client has announced more than it sends: an answer that comes now did not wait for it."""
    with (
        nexus(Settings(drains=drains)) as double,
        socket.create_connection(("127.0.0.1", double.connector().port), timeout=5) as link,
    ):
        link.sendall(b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n{")
        if drains:
            link.settimeout(0.3)
            with pytest.raises(TimeoutError):
                link.recv(100)
            return
        said = b""
        while piece := link.recv(10_000):
            said += piece
    assert said.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in said


def test_44_a_commit_that_fails_keeps_nothing() -> None:
    with nexus(Settings(commit_500=1)) as double:
        url = double.connector().url
        said = upload(url, "a")
        assert (said.status, said.headers["Content-Type"]) == (500, "text/html")
        assert DIGEST not in double.repository().blobs
        assert upload(url, "a").status == 201


def test_44_nginx_gives_up_on_a_commit_that_succeeds() -> None:
    with nexus(Settings(gateway_504=1)) as double:
        url = double.connector().url
        said = upload(url, "a")
        assert (said.status, b"nginx" in said.body) == (504, True)
        assert ask("HEAD", f"{url}/v2/a/blobs/{DIGEST}").status == 200


def test_44_nginx_refuses_large_bodies() -> None:
    with nexus(Settings(body_limit=len(BLOB) - 1)) as double:
        url = double.connector().url
        said = upload(url, "a")
        assert (said.status, said.headers["Content-Type"], said.headers["Server"]) == (413, "text/html", "nginx")
        assert ask("PATCH", f"{url}/v2/a/blobs/uploads/0", iter([BLOB])).status == 413
        assert upload(url, "a", BLOB[:-1]).status == 201


def test_44_idle_connections_are_closed() -> None:
    with nexus(Settings(idle=0.2)) as double:
        with socket.create_connection(("127.0.0.1", double.connector().port), timeout=60) as link:
            began = time.monotonic()
            assert link.recv(1) == b""
        assert time.monotonic() - began > 0.1


def test_44_a_commit_may_take_its_time() -> None:
    with nexus(Settings(commit_seconds=0.3)) as double:
        url = double.connector().url
        upload_url = session_url(url, ask("POST", f"{url}/v2/a/blobs/uploads/", b""))
        began = time.monotonic()
        assert ask("PUT", f"{upload_url}?digest={DIGEST}", BLOB).status == 201
        assert time.monotonic() - began >= 0.3

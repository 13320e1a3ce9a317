# SPDX-License-Identifier: Apache-2.0
"""Statements 23 to 25: blobs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.doubles.nexus import Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import BLOB, DIGEST, OCTETS, ask, upload


@pytest.fixture
def double() -> Iterator[Nexus]:
    two = (Repository("docker-hosted", connector="http"), Repository("other", connector="http"))
    with nexus(Settings(repositories=two)) as server:
        upload(server.connector().url, "team/app")
        yield server


def test_23_a_blob_is_there_under_every_name_of_its_repository(double: Nexus) -> None:
    for image in ("team/app", "elsewhere", "-"):
        assert ask("HEAD", f"{double.connector().url}/v2/{image}/blobs/{DIGEST}").status == 200
    assert ask("HEAD", f"{double.connector('other').url}/v2/team/app/blobs/{DIGEST}").status == 404


def test_23_or_under_its_own_alone() -> None:
    with nexus(Settings(blobs_shared=False)) as double:
        url = double.connector().url
        upload(url, "a")
        assert ask("HEAD", f"{url}/v2/a/blobs/{DIGEST}").status == 200
        assert ask("HEAD", f"{url}/v2/b/blobs/{DIGEST}").status == 404


def test_24_head(double: Nexus) -> None:
    said = ask("HEAD", f"{double.connector().url}/v2/team/app/blobs/{DIGEST}")
    assert (said.status, said.body) == (200, b"")
    assert said.headers["Content-Type"] == OCTETS
    assert said.headers["Content-Length"] == str(len(BLOB))
    assert said.headers["Docker-Content-Digest"] == DIGEST
    assert said.headers["Accept-Ranges"] == "bytes"
    assert said.headers["Last-Modified"].endswith("GMT")
    missing = ask("GET", f"{double.connector().url}/v2/team/app/blobs/sha256:{'0' * 64}")
    assert (missing.status, missing.code) == (404, "BLOB_UNKNOWN")


def test_25_get_and_ranges(double: Nexus) -> None:
    url, size = f"{double.connector().url}/v2/team/app/blobs/{DIGEST}", len(BLOB)
    said = ask("GET", url)
    assert (said.status, said.body) == (200, BLOB)
    assert said.headers["ETag"] == f'"{hashlib.sha1(BLOB).hexdigest()}"'
    for wanted, part, place in (
        ("2-4", BLOB[2:5], f"bytes 2-4/{size}"),
        ("8-", BLOB[8:], f"bytes 8-{size - 1}/{size}"),
        ("-3", BLOB[-3:], f"bytes {size - 3}-{size - 1}/{size}"),
        ("8-900", BLOB[8:], f"bytes 8-{size - 1}/{size}"),
    ):
        said = ask("GET", url, Range=f"bytes={wanted}")
        assert (said.status, said.body, said.headers["Content-Range"]) == (206, part, place)
    assert ask("GET", url, Range="bytes=0-1,4-5").status == 501
    beyond = ask("GET", url, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_25_ranges_may_be_passed_over() -> None:
    with nexus(Settings(ranges=False)) as double:
        upload(double.connector().url, "a")
        said = ask("GET", f"{double.connector().url}/v2/a/blobs/{DIGEST}", Range="bytes=2-4")
        assert (said.status, said.body) == (200, BLOB)

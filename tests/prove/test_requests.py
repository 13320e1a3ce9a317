# SPDX-License-Identifier: Apache-2.0
"""How many requests a proof takes: each manifest once an image, each blob once a repository, a dead host once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Airgap, pod
from tests.doubles.registry import Answer
from tests.parts.images import Images
from tests.prove.nodes import TARGET, Node, hosts_toml, node


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Node]:
    for name in ("work", "user"):
        (tmp_path / name).mkdir()
    with node(Airgap(tmp_path / "work", tmp_path / "user"), tmp_path / "node") as started:
        started.containerd({TARGET: hosts_toml(started.url)})
        yield started


def test_each_manifest_is_asked_for_once_and_each_blob_once_a_repository(far: Node) -> None:
    images, names = Images(4), []
    for repository in ("a", "b"):
        base = images.layer()
        for tag in range(5):
            index = images.index(
                [images.image(p, layers=[base, images.layer()]) for p in ("linux/amd64", "linux/arm64")]
            )
            far.shelf.put(f"team/{repository}", images, **{f"v{tag}": index})
            names.append(f"{TARGET}/team/{repository}:v{tag}")
    answer = far.prove(pod(*names, *names), code=0)
    # An index, a manifest, a config and a layer for each of the ten images, and each repository's base.
    assert len(far.registry.requests) == answer["requests"] == 10 * 4 + 2
    assert far.registry.count("GET", "/blobs/") == 0


def test_a_host_that_does_not_answer_is_asked_once_for_all_images(far: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    far.containerd({TARGET: hosts_toml(f"http://127.0.0.1:{port}")})
    answer = far.prove(pod(*(f"{TARGET}/team/a:v{number}" for number in range(12))), "--jobs", "1")
    assert [(cause["kind"], len(cause["images"])) for cause in answer["causes"]] == [("unreachable", 12)]
    assert answer["requests"] == 2  # the host in hosts.toml, and the registry's own name


def test_a_registry_that_is_busy_is_given_up(far: Node) -> None:
    far.registry.always("GET", "/v2/", Answer(503, headers={"Retry-After": "0"}))
    far.airgap.environment["AIRGAP_LIMITS"] = "transfer-failures=2"
    answer = far.prove(pod(*(f"{TARGET}/team/a:v{number}" for number in range(6))), "--jobs", "1")
    assert [cause["kind"] for cause in answer["causes"]] == ["unreachable"]
    assert far.registry.count() == 2 * 5

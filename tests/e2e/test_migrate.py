# SPDX-License-Identifier: Apache-2.0
"""``airgap migrate`` between two of Debian's docker-registry, killed on the way; at full size between Nexus doubles."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from airgap.oci import digest as digests
from tests.cli.command import Airgap, Registry
from tests.doubles.nexus import PUSHER, Settings, nexus
from tests.flows.migrate.migrations import (
    SOURCE_WORD,
    TARGET_WORD,
    Old,
    between,
    content_asked,
    content_of,
    files_of,
    fill,
    kill_often,
    registries,
    secret_environment,
    tags_of,
)
from tests.parts.dockerregistry import DockerRegistry, docker_registry
from tests.parts.images import Images

SIZES = [pytest.param(36, 6, marks=pytest.mark.long), pytest.param(300, 40, marks=pytest.mark.long)]
_COMMIT = re.compile(r"PUT /v2/\S+digest=sha256(?::|%3A)([0-9a-f]{64})")


def held(registry: DockerRegistry, old: Old) -> dict[str, bytes]:
    """What each name of ``old`` and each manifest below gives at ``registry``, read and hashed."""
    found: dict[str, bytes] = {}
    with registries(registry.address) as client:
        for name, root in old.names.items():
            repository, _, tag = name.rpartition(":")
            store = client.repository(registry.address, repository)
            found[name] = store.manifest(tag).content
            assert digests.of(found[name]) == root.digest
            for needed in old.images.needed(root):
                assert store.exists(needed), f"{repository} lacks {needed.digest}"
    return found


def files(registry: DockerRegistry) -> dict[str, bytes]:
    """All that a registry keeps, but for uploads that broke off."""
    return {
        str(path.relative_to(registry.data)): path.read_bytes()
        for path in registry.data.rglob("*")
        if path.is_file() and "_uploads" not in path.parts
    }


@pytest.mark.requires("docker-registry")
@pytest.mark.interop
@pytest.mark.parametrize(("tags", "repositories"), SIZES)
def test_docker_registry_to_docker_registry(airgap: Airgap, tmp_path: Path, tags: int, repositories: int) -> None:
    made = Old.of(tags, repositories)
    with (
        docker_registry(tmp_path / "old") as old,
        docker_registry(tmp_path / "smooth") as smooth,
        docker_registry(tmp_path / "new") as new,
    ):
        fill(old.address, made)
        assert f"{len(made.names)} tags copied" in airgap.run("migrate", old.url, smooth.url, timeout=240).stderr
        whole = smooth.log.stat().st_size
        arguments = ["migrate", old.url, new.url]
        before = new.requests()
        kill_often(airgap, arguments, lambda: new.log.stat().st_size, whole)
        assert len(new.requests()) > len(before)
        last = airgap.run(*arguments, timeout=240)
        assert "0 tags copied" not in last.stderr, "it was never killed in time"
        assert files(new) == files(smooth)
        assert held(new, made) == held(old, made)
        commits = Counter(match[1] for match in map(_COMMIT.search, new.requests()) if match)
        # A kill may cut the connection of a commit that is under way, of each of the four workers once.
        assert sum(commits.values()) <= len(made.blobs) + 5 * 4
        assert set(commits) == {digests.encoded(digest) for digest in made.blobs}

        marks = len(old.requests()), len(new.requests())
        said = airgap.run(*arguments)
        again = old.requests()[marks[0] :], new.requests()[marks[1] :]
        assert "nothing sent" in said.stderr
        for side in again:
            assert len([one for one in side if one.startswith("HEAD") and "/manifests/" in one]) == len(made.names)
            assert not [one for one in side if "/blobs/" in one or one.split()[0] not in ("GET", "HEAD")]
            assert not [one for one in side if one.startswith("GET") and "/manifests/" in one]


@pytest.mark.requires("docker-registry")
@pytest.mark.interop
def test_a_blob_of_an_earlier_run_is_mounted_in_a_later(airgap: Airgap, tmp_path: Path) -> None:
    """The journal knows which repository took it, though no manifest of that one is read again."""
    images = Images(6)
    base = images.layer(size=5000)
    digest = digests.encoded(base.descriptor.digest)
    with Registry() as old, docker_registry(tmp_path / "new") as new:
        old.fill(images, {f"{name}:1": images.image(layers=[base, images.layer()]) for name in ("a", "b", "c")})
        airgap.run("migrate", old.url, new.url, "--include", "b")
        old.requests()
        said = airgap.run("migrate", old.url, new.url)
        assert "2 tags copied, 1 already there" in said.stderr
        assert not [one for one in old.requests() if digest in one and one.startswith("GET")]
        assert [match[1] for match in map(_COMMIT.search, new.requests()) if match].count(digest) == 1


@pytest.mark.long
def test_three_hundred_tags_from_nexus_to_nexus(airgap: Airgap) -> None:
    secret_environment(airgap)
    made = Old.of(300, 40)
    with (
        nexus(Settings(profile="3.71", oci_images="accepted", ghosts=("ghost/a",))) as old,
        nexus(Settings()) as smooth,
        nexus(Settings()) as new,
    ):
        fill(old.connector().address, made, PUSHER)
        airgap.run(*between(old, smooth, "--nexus-source", old.url), timeout=240)
        arguments = between(old, new, "--nexus-source", old.url, "--report", "r.json", "--progress", "json")
        said = kill_often(airgap, arguments, lambda: len(new.seen), len(smooth.seen))
        assert tags_of(new) != made.digests
        said.append(airgap.run(*arguments, timeout=240).stderr)
        assert content_of(new) == content_of(smooth)
        assert tags_of(new) == made.digests
        old.seen.clear(), new.seen.clear()
        said.append(airgap.run(*arguments).stderr)
        again = content_asked(old, new)
        assert {one.method for one in again} <= {"GET", "HEAD"}
        assert (
            len([one for one in again if one.method == "GET"]) <= 2 * 8
        )  # one a worker and side, then HEAD is trusted
        assert len(again) == 2 * len(made.names)
    texts = [*said, *(content.decode("utf-8", "replace") for content in files_of(airgap).values())]
    assert not [text for text in texts if SOURCE_WORD in text or TARGET_WORD in text]

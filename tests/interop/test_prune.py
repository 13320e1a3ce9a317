# SPDX-License-Identifier: Apache-2.0
"""``airgap prune`` at Debian's docker-registry: deletion switched on and off, and its own garbage collection after."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.cli.command import Airgap
from tests.cli.fixtures import airgap
from tests.flows.prune.releases import TARGET, Site, World, write_releases
from tests.parts.dockerregistry import docker_registry
from tests.parts.need import need

__all__ = ["airgap"]

pytestmark = [pytest.mark.interop, pytest.mark.requires("docker-registry")]


def tags(url: str) -> dict[str, list[str]]:
    found = {}
    for name in ("app", "db", "alias", "tool"):
        answer = httpx.get(f"{url}/v2/p/{name}/tags/list")
        found[name] = sorted(answer.json().get("tags") or []) if answer.status_code == 200 else []
    return found


def blobs(data: Path) -> set[str]:
    return {f"sha256:{path.parent.name}" for path in data.glob("docker/registry/v2/blobs/sha256/*/*/data")}


def test_with_deletion_everything_goes_and_its_garbage_collection_frees_the_rest(
    airgap: Airgap, tmp_path: Path
) -> None:
    world = World()
    with docker_registry(tmp_path / "far") as far:
        write_releases(airgap, far.url, world)
        site = Site(airgap, far.url, world)
        planned = site.json("--keep", "1.10.tar", "--dry-run")
        said = site.prune("--keep", "1.10.tar", "--yes", code=3)
        # This registry deletes no tag alone, and alias:2 has the manifest of alias:1.
        assert "alias:1" in said.errors[0]
        assert "another tag has the same manifest" in said.stderr
        assert "app" not in said.errors[0]
        assert tags(far.url) == {"app": ["1.10"], "db": ["1.10"], "alias": ["1", "2"], "tool": []}
        again = site.prune("--keep", "1.10.tar", "--yes", code=3)
        assert "alias:1" in again.errors[0]
        size = sum(path.stat().st_size for path in far.data.glob("docker/registry/v2/blobs/sha256/*/*/data"))
    configuration = str(tmp_path / "far/config.yml")
    subprocess.run(
        [need("docker-registry"), "garbage-collect", configuration],
        check=True, capture_output=True, env={"PATH": os.defpath, "OTEL_TRACES_EXPORTER": "none"},
    )  # fmt: skip
    kept = {one.digest for root in world.tags["1.10"].values() for one in world.images.needed(root)}
    assert blobs(far.data) == kept
    left = sum(path.stat().st_size for path in far.data.glob("docker/registry/v2/blobs/sha256/*/*/data"))
    # The configs of docker-registry's images are counted, too.
    assert size - left == planned["frees"]


@pytest.mark.long  # tests/flows/prune has a short one
def test_without_deletion_it_says_which_setting_allows_it(airgap: Airgap, tmp_path: Path) -> None:
    world = World()
    with docker_registry(tmp_path / "far", delete=False) as far:
        write_releases(airgap, far.url, world)
        site = Site(airgap, far.url, world)
        before = tags(far.url)
        said = airgap.run("prune", TARGET, "--via", far.url, "--keep", "1.10.tar", "--yes", code=51)
        assert "does not delete anything" in said.errors[0]
        assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in said.stderr
        assert tags(far.url) == before
        assert site.json("--keep", "1.10.tar", "--dry-run")["images"]

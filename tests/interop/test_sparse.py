# SPDX-License-Identifier: Apache-2.0
"""A sparse bundle (``export --sparse``) and the real programs: what they read in it, and which registry takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.oci.manifest import parse
from tests.cli import fixtures
from tests.cli.command import Airgap, Registry, settings
from tests.interop.test_cosign import Cosign
from tests.parts.clients import oras, skopeo
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images

pytestmark = pytest.mark.interop
airgap = fixtures.airgap
EXPORT = ("export", "--image", "quay.io/a/x:1", "-o", "b.tar", "--platform", "linux/amd64", "--sparse")


@pytest.mark.requires("cosign")
def test_cosign_verifies_the_index_where_it_is_taken(airgap: Airgap, tmp_path: Path) -> None:
    cosign = Cosign(tmp_path / "cosign")
    with Registry() as source, Registry(sparse=True) as target:
        images = Images(18)
        source.fill(images, {"a/x:1": images.two_platforms(size=1000)})
        cosign.sign(f"{source.address}/a/x:1")
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
        airgap.run(*EXPORT)
        airgap.run("import", "b.tar", "--to", f"{target.url}/p")
        cosign.verifies(f"{target.address}/p/x:1")


@pytest.mark.requires("skopeo", "oras")
def test_readers_and_a_registry_that_checks(airgap: Airgap, registry: DockerRegistry, tmp_path: Path) -> None:
    """skopeo and oras read the platform that is there, and Debian's docker-registry refuses before a layer is sent."""
    with Registry() as source:
        images = Images(18)
        index = images.two_platforms(size=1000)
        source.fill(images, {"a/x:1": index})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
        airgap.run(*EXPORT)
    said = airgap.fails(50, "import", "b.tar", "--to", f"{registry.url}/p").stderr
    assert "refuses this index without all of its images: linux/arm64" in said
    assert not [line for line in registry.requests() if "/blobs/uploads" in line]
    amd64, arm64 = parse(images.content[index.digest]).children
    reader, name = skopeo(tmp_path / "skopeo"), f"oci-archive:{airgap.folder}/b.tar:quay.io/a/x:1"
    reader.run("copy", "--override-os", "linux", "--override-arch", "amd64", name, f"dir:{tmp_path}/one")
    assert (tmp_path / "one/manifest.json").read_bytes() == images.content[amd64.digest]
    for options in (("--override-arch", "arm64"), ("--all",)):
        done = reader.try_run("copy", *options, name, f"dir:{tmp_path}/other")
        assert done.returncode != 0
        assert arm64.digest.partition(":")[2] in done.stderr.decode()
    bundle = f"{airgap.folder}/b.tar@{index.digest}"
    fetched = oras(tmp_path / "oras").run("manifest", "fetch", "--oci-layout", bundle, "--platform", "linux/amd64")
    assert fetched.strip() == images.content[amd64.digest]

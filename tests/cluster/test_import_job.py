# SPDX-License-Identifier: Apache-2.0
"""``manifests/import-job.yaml`` by the commands of its README, with the image of airgap: four pods share an import, and
the last one finishes it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, pod, settings
from tests.cluster.conftest import reachable_registry
from tests.cluster.kubernetes import ROOT, Cluster, Volumes
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images
from tests.parts.pages import commands

pytestmark = pytest.mark.cluster

LINES = commands(ROOT / "manifests" / "README.md", "An import that several nodes share")
USER, PASSWORD = "pusher", "word of the pusher"
#: The sizes of layers in bytes; by their digests alone they would be shared unevenly.
SIZES = (9_000_000, 8_000_000, 7_000_000, 6_000_000, 2_000_000, 2_000_000, 1_000_000, 500_000, 400_000, 300_000)


TARGET = "http://10.100.0.102:32415/my-docker-image"


def adapted(manifest: str, image_registry: str) -> str:
    """The manifest with the image that nodes can pull, and a volume that was made by hand."""
    for old, new in (
        ("registry.example.com/airgap:", f"{image_registry}/airgap:"),
        ("accessModes: [ReadWriteMany]", 'accessModes: [ReadWriteMany]\n  storageClassName: ""'),
    ):
        assert old in manifest, old
        manifest = manifest.replace(old, new)
    return manifest


@pytest.fixture
def bundle(airgap: Airgap) -> Path:
    images = Images(173)
    layers = [images.layer(size=size) for size in SIZES]
    names = {f"a/x{number}:1": images.image(layers=[layers[0], layer]) for number, layer in enumerate(layers)}
    with Registry() as internet:
        internet.fill(images, names)
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        airgap.write("pods.yaml", pod(*(f"quay.io/{name}" for name in names)))
        airgap.run("export", "pods.yaml", "-o", "bundle.tar")
    return airgap.folder / "bundle.tar"


def test_four_pods_import_a_bundle(
    airgap: Airgap,
    bundle: Path,
    archive: Path,
    provider: DockerRegistry,
    registry_host: str,
    volumes: Volumes,
    cluster: Cluster,
    tmp_path: Path,
) -> None:
    with reachable_registry(tmp_path / "locked", registry_host, {USER: PASSWORD}) as target:
        shutil.copy(archive, cluster.folder / re.split(r"\s", LINES[0])[2])
        shutil.copy(bundle, cluster.folder)
        (cluster.folder / "password.txt").write_text(PASSWORD)
        (cluster.folder / "manifests").mkdir()
        address = f"{target.url}/my-docker-image"
        manifest = (ROOT / "manifests/import-job.yaml").read_text(encoding="utf-8")
        assert TARGET in manifest
        (cluster.folder / "manifests/import-job.yaml").write_text(
            adapted(manifest, provider.address).replace(TARGET, address)
        )
        volumes.add(cluster.namespace, "airgap-bundle")
        for line in LINES:
            cluster.shell(line.replace("registry.example.com", provider.url))

        sent = []
        for shard in range(4):
            selector = f"batch.kubernetes.io/job-completion-index={shard}"
            log = cluster.kubectl.run("logs", "--selector", selector, "--tail=-1").decode()
            (megabytes,) = re.findall(rf"shard {shard}/4 is there; ([0-9.]+) MB pushed ", log)
            sent.append(float(megabytes))
        assert max(sent) <= 1.1 * sum(sent) / 4, sent
        images = sorted(f"my-docker-image/x{number}:1" for number in range(len(SIZES)))
        rewritten = (cluster.folder / "airgap-out" / "pods.yaml").read_text()
        assert sorted(re.findall(r"image: \S+?/(my-docker-image/\S+)", rewritten)) == images
        environment = {"AIRGAP_USERNAME": USER, "AIRGAP_PASSWORD": PASSWORD}
        airgap.run("verify", bundle, "--against", address, environment=environment)

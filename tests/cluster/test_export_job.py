# SPDX-License-Identifier: Apache-2.0
"""``manifests/export-job.yaml`` by the commands of its README: four pods make a volume each from a registry in the
cluster, and the volumes are those of one machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, pod, settings
from tests.cluster.kubernetes import ROOT, Cluster, Volumes
from tests.cluster.test_import_job import adapted
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images
from tests.parts.pages import commands

pytestmark = pytest.mark.cluster

LINES = commands(ROOT / "manifests" / "README.md", "An export that several nodes share")
OPTIONS = ("deploy/", "-o", "bundle.tar", "--volume-size", "4MiB", "--lock", "airgap.lock")


@pytest.fixture
def internet(airgap: Airgap) -> Iterator[Registry]:
    """quay.io on loopback, and ``source.tar`` with all that it holds."""
    images = Images(174)
    shared = images.layer(size=3_000_000)
    names = {
        f"a/x{number}:1": images.image(layers=[shared, images.layer(size=700_000 * number)]) for number in range(1, 6)
    }
    with Registry() as registry:
        registry.fill(images, names)
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        airgap.write("deploy/pods.yaml", pod(*(f"quay.io/{name}" for name in names)))
        airgap.run("export", "deploy/", "-o", "source.tar")
        airgap.run("export", *OPTIONS)
        yield registry


def registry_pod(image: str) -> dict[str, object]:
    """A pod in which a bundle that is copied in is served."""
    script = "until [ -e /data/whole ]; do sleep 1; done; exec airgap serve /data/source.tar --listen 0.0.0.0:5000"
    probe = {"httpGet": {"path": "/v2/", "port": 5000}, "periodSeconds": 1}
    container = {
        "name": "registry",
        "image": image,
        "command": ["sh", "-c", script],
        "readinessProbe": probe,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    volume = {"name": "data", "emptyDir": {}}
    spec = {"containers": [container], "volumes": [volume], "securityContext": {"fsGroup": 10001}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "registry"}, "spec": spec}


def serve_in_cluster(cluster: Cluster, bundle: Path, image: str) -> str:
    """Serve the bundle in a pod; return the pod's address."""
    cluster.apply(registry_pod(image))
    cluster.shell("kubectl wait --for=jsonpath='{.status.phase}'=Running --timeout=120s pod/registry")
    cluster.kubectl.run("cp", bundle, "registry:/data/source.tar")
    cluster.kubectl.run("exec", "registry", "--", "sh", "-c", ": > /data/whole")
    cluster.kubectl.run("wait", "--for=condition=Ready", "--timeout=60s", "pod/registry")
    address: str = cluster.kubectl.json("get", "pod", "registry", "-o", "json")["status"]["podIP"]
    return f"http://{address}:5000"


def test_four_pods_export_a_bundle(
    airgap: Airgap,
    internet: Registry,
    archive: Path,
    airgap_image: str,
    provider: DockerRegistry,
    volumes: Volumes,
    cluster: Cluster,
) -> None:
    whole = sorted(airgap.folder.glob("bundle.tar.0*"))
    assert len(whole) == 4
    mirror = serve_in_cluster(cluster, airgap.folder / "source.tar", airgap_image)
    shutil.copy(archive, cluster.folder / re.split(r"\s", LINES[0])[2])
    shutil.copytree(airgap.folder / "deploy", cluster.folder / "deploy")
    shutil.copy(airgap.folder / "airgap.yaml", cluster.folder)
    (cluster.folder / ".docker").mkdir()
    (cluster.folder / ".docker/config.json").write_text("{}")
    (cluster.folder / "manifests").mkdir()
    manifest = (ROOT / "manifests/export-job.yaml").read_text(encoding="utf-8")
    (cluster.folder / "manifests/export-job.yaml").write_text(
        adapted(manifest, provider.address).replace("--volume-size 4GB", "--volume-size 4MiB")
    )
    volumes.add(cluster.namespace, "airgap-export")
    internet.requests()
    for line in LINES:
        if line.startswith("kubectl cp airgap.lock"):
            (cluster.folder / "airgap.yaml").write_text(settings({"quay.io": {"mirror": mirror}}))
            cluster.shell("kubectl cp airgap.yaml airgap-files:/data/airgap.yaml")
        cluster.shell(line.replace("registry.example.com", provider.url).replace("4GB", "4MiB"))

    fetched = [request for request in internet.requests() if request.startswith("GET") and "/blobs/" in request]
    assert len(fetched) == 5, "for the lock only the configs"
    assert (cluster.folder / "airgap.lock").read_bytes() == (airgap.folder / "airgap.lock").read_bytes()
    for volume in whole:
        cluster.shell(f"cmp {volume} {volume.name}")
    assert (cluster.folder / "bundle.tar.sha256").read_bytes() == (airgap.folder / "bundle.tar.sha256").read_bytes()
    left = cluster.shell("kubectl exec airgap-files -- ls -A /data").split()
    assert sorted(left) == ["airgap.lock", "airgap.yaml", *(volume.name for volume in whole), "deploy"]

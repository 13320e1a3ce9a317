# SPDX-License-Identifier: Apache-2.0
"""cert-manager in a closed network whose registry speaks plain HTTP: ``prove`` sees it coming, nodes refuse it,
``doctor --explain`` says why, ``hosts`` mends the node, and the pods run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.command import SAMPLES, Airgap, Registry, settings
from tests.cli.fixtures import CERT_MANAGER
from tests.cluster.conftest import restored_node
from tests.cluster.kubernetes import Cluster, connected, node_name
from tests.cluster.programs import SERVE_HEALTH, STAY, busybox_layer, program_layer, shell_image
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images

pytestmark = pytest.mark.cluster

NAMESPACE = "cert-manager"
WORKLOADS = [f"deployment/{name}" for name in ("cert-manager", "cert-manager-cainjector", "cert-manager-webhook")]


@pytest.fixture
def in_cert_manager(kubeconfig: Path, tmp_path: Path) -> Cluster:
    """The namespace of cert-manager, which the YAML makes."""
    with connected(kubeconfig, tmp_path / "cluster", NAMESPACE) as cluster:
        if cluster.has("namespace", NAMESPACE):
            pytest.skip(f"the cluster has a namespace {NAMESPACE}")
        return cluster


def export_cert_manager(airgap: Airgap) -> None:
    """Make ``bundle.tar``, quay.io being played on loopback by images that run."""
    images = Images(171)
    busybox = busybox_layer(images)
    names = {
        f"jetstack/cert-manager-{name}:v1.14.4": shell_image(
            images, [busybox, program_layer(images, {f"app/{name}": name.encode()})], SERVE_HEALTH + STAY
        )
        for name in CERT_MANAGER
    }
    with Registry() as quay:
        quay.fill(images, names)
        airgap.write("cert-manager.yaml", (SAMPLES / "cert-manager/cert-manager.yaml").read_bytes())
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
        airgap.run("export", "cert-manager.yaml", "-o", "bundle.tar")


def test_cert_manager_runs_from_a_registry_with_plain_http(
    airgap: Airgap, in_cert_manager: Cluster, target: DockerRegistry, node_root: Path, airgap_image: str
) -> None:
    export_cert_manager(airgap)
    airgap.run("import", "bundle.tar", "--to", f"{target.url}/my-docker-image")
    rewritten = airgap.folder / "airgap-out" / "cert-manager.yaml"
    cluster = in_cert_manager
    proving: list[str | Path] = ["prove", rewritten, "--against", f"{target.url}/my-docker-image"]
    proving += ["--from-node", node_name(cluster), "--image", airgap_image]
    environment = {"KUBECONFIG": str(cluster.kubeconfig)}
    with restored_node(node_root, target):
        foreseen = airgap.run(*proving, "--json", code=51, environment=environment).json
        assert [cause["kind"] for cause in foreseen["causes"]] == ["plain-http"]
        assert len(foreseen["images"]) == 4, "that of the argument too"
        try:
            cluster.kubectl.run("apply", "-f", rewritten)
            pushed = len(target.requests())
            failed = cluster.wait_for_failed_pulls(count=3)
            said = {message for pod in failed for message in pod.waiting.values()}
            assert all("server gave HTTP response to HTTPS client" in message for message in said), said
            assert {image.rpartition("/")[0] for pod in failed for image in pod.images.values()} == {
                f"{target.address}/my-docker-image"
            }

            explained = cluster.shell("kubectl describe pods | airgap doctor --explain -")
            assert "asked by HTTPS" in explained
            (command,) = re.findall(r"^ +airgap (hosts .* --for containerd) --output", explained, re.MULTILINE)
            assert target.url in command
            airgap.run(*shlex.split(command), "--root", node_root)
            assert airgap.run(*proving, "--json", environment=environment).json["ready"]

            running = cluster.wait_for_pods(count=3)
            assert all(pod.waiting == {} for pod in running)
            in_cluster = ("--cluster", "-n", NAMESPACE, *proving[2:])
            assert "4 of 4 images" in airgap.run("prove", *in_cluster, environment=environment).text
            for workload in WORKLOADS:
                cluster.kubectl.run("rollout", "status", workload, "--timeout=60s")
            asked = {request.rpartition("?")[0] or request for request in target.requests()[pushed:]}
            for workload in ("controller", "cainjector", "webhook"):
                assert f"HEAD /v2/my-docker-image/cert-manager-{workload}/manifests/v1.14.4" in asked
        finally:
            cluster.delete_file(rewritten)

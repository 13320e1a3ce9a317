# SPDX-License-Identifier: Apache-2.0
"""``hosts --daemonset`` configures a node on which nobody has signed in. ``prove --on-nodes`` before and after."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.command import Airgap, Registry, settings
from tests.cluster.conftest import restored_node
from tests.cluster.kubernetes import Cluster, ctr
from tests.cluster.programs import STAY, busybox_layer, program_layer, shell_image
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images
from tests.parts.waiting import wait_until

pytestmark = pytest.mark.cluster

SHELL, APPLICATION = "tools.test/busybox:1", "apps.test/shop:2"
NAME = "airgap-nodes-containerd"


def deployment(image: str) -> dict[str, object]:
    labels = {"app": "shop"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "shop", "image": image}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}


def left_by_prove(cluster: Cluster) -> list[str]:
    """What is still in the cluster of ``prove --on-nodes``."""
    kinds = "daemonsets,pods,configmaps,secrets"
    selector = ("-n", "kube-system", "--selector", "app.kubernetes.io/name=airgap-prove")
    return [item["metadata"]["name"] for item in cluster.items(kinds, *selector)]


@pytest.fixture
def bundles(airgap: Airgap) -> Airgap:
    """A folder with ``shell.tar``, an image with a shell, and ``shop.tar``, an image that the closed network needs."""
    images = Images(172)
    busybox = busybox_layer(images)
    shop = shell_image(images, [busybox, program_layer(images, {"app/shop": b"shop"})])
    with Registry() as internet:
        internet.fill(images, {"busybox:1": shell_image(images, [busybox], STAY), "shop:2": shop})
        mirrors = {name: {"mirror": internet.url} for name in ("tools.test", "apps.test")}
        airgap.write("airgap.yaml", settings(mirrors))
        airgap.run("export", "--image", SHELL, "-o", "shell.tar")
        airgap.run("export", "--image", APPLICATION, "-o", "shop.tar")
    return airgap


def test_a_daemonset_configures_the_node(
    bundles: Airgap,
    cluster: Cluster,
    target: DockerRegistry,
    node_root: Path,
    node_containerd: Path,
    airgap_image: str,
) -> None:
    if cluster.has("daemonset", NAME, "-n", "kube-system"):
        pytest.skip(f"the cluster has a DaemonSet {NAME}")
    # As the file's head says: the image cannot come from the registry that the node does not know yet.
    ctr(node_containerd, bundles.folder, "ctr -n k8s.io images import shell.tar")
    bundles.run("import", "shop.tar", "--to", f"{target.url}/apps")
    shop = deployment(f"{target.address}/apps/shop:2")
    bundles.write("shop.yaml", yaml.safe_dump(shop))
    proving = ("prove", "shop.yaml", "--against", f"{target.url}/apps", "--on-nodes", airgap_image)
    environment = {"KUBECONFIG": str(cluster.kubeconfig)}
    foreseen = bundles.run(*proving, code=51, environment=environment).text
    assert f"{target.address} speaks plain HTTP, and the node asks it by HTTPS" in foreseen
    assert f"airgap hosts {target.url}/apps --for containerd" in foreseen
    cluster.apply(shop)
    (pod,) = cluster.wait_for_failed_pulls(count=1)
    assert "server gave HTTP response to HTTPS client" in pod.waiting["shop"]

    bundles.run("hosts", target.url, "--for", "containerd", "--output", "nodes", "--daemonset", SHELL)
    written = bundles.folder / "nodes" / "daemonset.yaml"
    with restored_node(node_root, target):
        try:
            cluster.kubectl.run("apply", "-f", written)
            cluster.kubectl.run("rollout", "status", f"daemonset/{NAME}", "-n", "kube-system", "--timeout=120s")
            (running,) = cluster.wait_for_pods(count=1)
            assert "1/1  ready" in bundles.run(*proving, environment=environment).text
            wait_until(lambda: left_by_prove(cluster) == [], every=0.5)
            assert running.name == pod.name, "the pod that waited, not another one"
            log = cluster.kubectl.run("logs", f"daemonset/{NAME}", "-n", "kube-system", "-c", "lay-files").decode()
            assert log == f"laid {target.address}/hosts.toml\n"
            laid = node_root / "etc/containerd/certs.d" / target.address / "hosts.toml"
            ours = bundles.folder / "nodes/etc/containerd/certs.d" / target.address / "hosts.toml"
            assert laid.read_bytes() == ours.read_bytes()
        finally:
            cluster.delete_file(written)
            ctr(node_containerd, bundles.folder, f"ctr -n k8s.io images rm {SHELL}")

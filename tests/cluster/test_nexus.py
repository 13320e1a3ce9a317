# SPDX-License-Identifier: Apache-2.0
"""``manifests/nexus`` by the commands of the guide "Nexus from nothing", with the mock server of Nexus in the place of
the real image: its Job provisions, and images go through HTTP and through the TLS proxy."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airgap.oci import Reference
from tests.cli.command import Airgap, Registry, settings
from tests.cluster.kubernetes import ROOT, Cluster, Volumes, connected, ctr
from tests.cluster.programs import PythonImages, nginx_image
from tests.doubles.nexus import PUSHER
from tests.manifests.applied import images as images_of_manifests
from tests.parts.images import Images
from tests.parts.need import need
from tests.parts.pages import commands
from tests.parts.service import running
from tests.parts.waiting import wait_until

pytestmark = pytest.mark.cluster

NAMESPACE = "nexus"
GUIDE = commands(ROOT / "docs" / "nexus.md", "Nexus from nothing")
README = commands(ROOT / "manifests" / "README.md", "Before applying")
NODES = "172.25.0.84:30018"


def line(start: str, lines: list[str] = GUIDE) -> str:
    """The one command that starts so."""
    (found,) = [one for one in lines if one.startswith(start)]
    return found


@pytest.fixture
def in_nexus(kubeconfig: Path, volumes: Volumes, airgap: Airgap) -> Iterator[Cluster]:
    """The namespace of the manifests, with commands in the folder of ``airgap``."""
    with connected(kubeconfig, airgap.folder, NAMESPACE) as cluster:
        if cluster.has("namespace", NAMESPACE):
            pytest.skip(f"the cluster has a namespace {NAMESPACE}")
        volumes.add(NAMESPACE, "nexus-data")
        try:
            yield cluster
        finally:
            cluster.kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait", "--timeout=240s")


def export_images(airgap: Airgap, archive: Path) -> None:
    """The guide's first line, Docker Hub being played on loopback."""
    images = Images(175)
    python = PythonImages(images, archive)
    made = {"nexus3": python.nexus(), "nginx-unprivileged": nginx_image(images), "python": python.python()}
    names = [Reference.parse(name) for name in images_of_manifests()]
    shutil.copytree(ROOT / "manifests/nexus", airgap.folder / "manifests/nexus")
    with Registry() as hub:
        hub.fill(images, {f"{name.repository}:{name.tag}": made[name.repository.rpartition("/")[2]] for name in names})
        airgap.write("airgap.yaml", settings({"docker.io": {"mirror": hub.url}}))
        airgap.run(*shlex.split(line("airgap export"))[1:])
    (airgap.folder / "airgap.yaml").unlink()


def change(path: Path, *changes: tuple[str, str]) -> None:
    """Change the text of a manifest."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def with_host_aliases(path: Path, address: str) -> list[dict[str, Any]]:
    """The objects of a manifest whose pods know the Services by name: a cluster without a DNS is enough."""
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    names = ["nexus.nexus.svc", "nexus-docker-http.nexus.svc"]
    for document in documents:
        if "template" in document.get("spec", {}):
            document["spec"]["template"]["spec"]["hostAliases"] = [{"ip": address, "hostnames": names}]
    return documents


@contextlib.contextmanager
def forwarded(cluster: Cluster, what: str, port: int) -> Iterator[int]:
    """The loopback port that leads to a port of a pod."""
    log = cluster.folder / f"forward-{port}.log"
    log.touch()

    def local() -> int:
        found = re.search(rf"Forwarding from 127\.0\.0\.1:(\d+) -> {port}", log.read_text())
        return int(found[1]) if found else 0

    command = [need("kubectl"), "port-forward", what, f":{port}"]
    with running(command, log=log, ready=lambda: local() > 0, environment=cluster.environment):
        yield local()


def remove_images(node_containerd: Path, folder: Path) -> None:
    ctr(node_containerd, folder, f"ctr -n k8s.io images rm {' '.join(sorted(images_of_manifests()))}")


def test_nexus_from_nothing(
    airgap: Airgap, archive: Path, in_nexus: Cluster, node_containerd: Path, request: pytest.FixtureRequest
) -> None:
    cluster, manifests = in_nexus, airgap.folder / "manifests/nexus"
    export_images(airgap, archive)
    request.addfinalizer(lambda: remove_images(node_containerd, airgap.folder))
    ctr(node_containerd, airgap.folder, line("ctr -n k8s.io images import"))
    listed = ctr(node_containerd, airgap.folder, line("ctr -n k8s.io images ls"))
    assert images_of_manifests() <= set(listed.split())

    # The volume was made by hand, a small node is enough, and what needs the address of Nexus's pod comes later.
    by_hand = ("accessModes: [ReadWriteOnce]", 'accessModes: [ReadWriteOnce]\n  storageClassName: ""')
    change(manifests / "storage.yaml", by_hand)
    change(manifests / "statefulset.yaml", ('cpu: "2"', "cpu: 50m"), ("memory: 6Gi", "memory: 64Mi"))
    change(manifests / "kustomization.yaml", ("  - tls.yaml", "  #"), ("  - provision.yaml", "  #"))
    cluster.shell(line("kubectl apply -k"))
    cluster.shell(line("kubectl -n nexus rollout status").replace("20m", "2m"))
    address = cluster.kubectl.json("get", "pod", "nexus-0", "-o", "json")["status"]["podIP"]

    cluster.apply(*with_host_aliases(manifests / "provision.yaml", address))
    wait_until(lambda: _waits(cluster), every=0.5)
    cluster.shell(line("tar xf nexus-images.tar"))
    cluster.shell(line("kubectl -n nexus exec -i job/nexus-provision"))
    cluster.shell(line("kubectl -n nexus exec statefulset/nexus"))
    cluster.shell(line("kubectl -n nexus create secret generic nexus-admin"))
    cluster.shell(line("kubectl -n nexus wait").replace("5m", "2m"))
    log = cluster.shell(line("kubectl -n nexus logs"))
    assert len(re.findall(r"^done: ", log, re.MULTILINE)) == 3, log
    assert f"airgap hosts http://{NODES} --for containerd" in log, log
    cluster.shell(line("kubectl -n nexus delete secret"))

    images = Images(176)
    with Registry() as internet:
        internet.fill(images, {"a/shop:1": images.image(size=3_000_000)})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        airgap.run("export", "--image", "quay.io/a/shop:1", "-o", "bundle.tar")
    (airgap.folder / "airgap.yaml").unlink()
    login = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
    to = ("--to", f"http://{NODES}/my-docker-image")
    with forwarded(cluster, "service/nexus-docker-http", 8082) as port:
        airgap.run("import", "bundle.tar", *to, "--via", f"http://127.0.0.1:{port}", environment=login)
    receipt = airgap.folder / "bundle.tar.receipt.json"
    assert f"{NODES}/my-docker-image/shop:1" in receipt.read_text()

    cluster.shell(line("openssl req", README).replace("IP:172.25.0.84", "IP:127.0.0.1"))
    cluster.shell(line("kubectl -n nexus create secret tls nexus-docker-tls", README))
    cluster.apply(*with_host_aliases(manifests / "tls.yaml", address))
    cluster.kubectl.run("rollout", "status", "deployment/nexus-docker-tls", "--timeout=60s")
    with forwarded(cluster, "deployment/nexus-docker-tls", 8443) as port:
        target = f"https://127.0.0.1:{port}/my-docker-image"
        airgap.run("verify", "bundle.tar", "--against", target, "--ca-file", "tls.crt", environment=login)


def _waits(cluster: Cluster) -> bool:
    """Whether the Job's pod waits for the program."""
    (pod,) = cluster.items("pods", "--selector", "app.kubernetes.io/component=provision") or [{}]
    states = pod.get("status", {}).get("initContainerStatuses", [{}])
    return "running" in states[0].get("state", {})

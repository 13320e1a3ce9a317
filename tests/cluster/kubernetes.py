# SPDX-License-Identifier: Apache-2.0
"""kubectl for one namespace of the cluster, and what its pods are at."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.parts.clients import Command
from tests.parts.need import need
from tests.parts.service import clean_environment
from tests.parts.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Pod:
    """``images`` are by container. ``waiting`` is what the cluster says of containers that do not start; ``ready`` is
    whether all of them are."""

    name: str
    images: dict[str, str]
    waiting: dict[str, str]
    ready: bool


@dataclass(frozen=True)
class Cluster:
    """Commands in ``folder`` for whoever ``kubeconfig`` names, in ``namespace``."""

    kubeconfig: Path
    folder: Path
    namespace: str

    @property
    def environment(self) -> dict[str, str]:
        """A user's, with ``kubectl`` set up, and ``airgap`` of this tree on the PATH."""
        whole = clean_environment(self.folder, KUBECONFIG=str(self.kubeconfig), PYTHONPATH=str(ROOT))
        return {**whole, "PATH": f"{self.folder / 'bin'}:{whole['PATH']}"}

    @property
    def kubectl(self) -> Command:
        return Command((need("kubectl"),), self.environment, self.folder)

    def shell(self, line: str, **environment: str) -> str:
        """Run a line of a guide; return its standard output."""
        return Command(("sh", "-euc"), {**self.environment, **environment}, self.folder).run(line).decode()

    def items(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """The objects of a kind in the namespace."""
        found: list[dict[str, Any]] = self.kubectl.json("get", kind, "-o", "json", *arguments)["items"]
        return found

    def has(self, kind: str, name: str, *arguments: str) -> bool:
        return bool(self.kubectl.run("get", kind, name, "--ignore-not-found", "-o", "name", *arguments))

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl.run("apply", "-f", "-", stdin=yaml.safe_dump_all(objects).encode())

    def delete_file(self, *paths: Path) -> None:
        """Remove what the files hold, and wait until it is gone."""
        files = [word for path in paths for word in ("-f", str(path))]
        self.kubectl.run("delete", "--ignore-not-found", "--wait", "--timeout=240s", *files)

    def pods(self, *arguments: str) -> list[Pod]:
        return [_pod(item) for item in self.items("pods", *arguments)]

    def wait_for_pods(self, *arguments: str, count: int, seconds: float = 120) -> list[Pod]:
        """Wait until there are ``count`` pods, all of them ready."""

        def ready() -> list[Pod]:
            found = self.pods(*arguments)
            return found if len(found) == count and all(pod.ready for pod in found) else []

        return wait_until(ready, seconds=seconds, every=0.5)

    def wait_for_failed_pulls(self, *arguments: str, count: int, seconds: float = 120) -> list[Pod]:
        """Wait until each of ``count`` pods says why an image cannot be pulled, and waits to try again."""

        def failed() -> list[Pod]:
            found = self.pods(*arguments)
            reasons = [any("ImagePullBackOff" in said for said in pod.waiting.values()) for pod in found]
            return found if len(found) == count and all(reasons) else []

        return wait_until(failed, seconds=seconds, every=0.5)


def _pod(item: dict[str, Any]) -> Pod:
    spec, status = item["spec"], item["status"]
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    waiting = {}
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        state = container["state"].get("waiting", {})
        if state.get("message"):
            waiting[container["name"]] = f"{state['reason']}: {state['message']}"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
    images = {container["name"]: container["image"] for container in containers}
    return Pod(item["metadata"]["name"], images, waiting, conditions.get("Ready") == "True")


@contextlib.contextmanager
def connected(kubeconfig: Path, folder: Path, namespace: str = "") -> Iterator[Cluster]:
    """A kubeconfig of its own in ``folder``. Without ``namespace`` one is made, and removed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "kubeconfig"
    environment = {**clean_environment(folder), "KUBECONFIG": str(kubeconfig)}
    read = Command((need("kubectl"),), environment, kubeconfig.parent)
    own.touch(0o600)
    own.write_bytes(read.run("config", "view", "--raw", "--flatten", "--minify"))
    made = not namespace
    namespace = namespace or f"airgap-test-{secrets.token_hex(3)}"
    _put_on_path(folder / "bin")
    cluster = Cluster(own, folder, namespace)
    cluster.kubectl.run("config", "set-context", "--current", f"--namespace={namespace}")
    if made:
        cluster.kubectl.run("create", "namespace", namespace)
        # A pod cannot be made before its service account is.
        wait_until(lambda: cluster.has("serviceaccount", "default"), every=0.2)
    try:
        yield cluster
    finally:
        if made:
            cluster.kubectl.run("delete", "namespace", namespace, "--wait", "--timeout=240s")


def _put_on_path(folder: Path) -> None:
    """Commands of a guide call ``airgap``: that of this tree."""
    folder.mkdir(exist_ok=True)
    program = folder / "airgap"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m airgap "$@"\n')
    program.chmod(0o755)


def node_name(cluster: Cluster) -> str:
    """The node that runs the pods: the only one that takes them."""
    nodes = [item for item in cluster.items("nodes") if not item["spec"].get("unschedulable")]
    assert len(nodes) == 1, "cordon all nodes but the one of AIRGAP_TEST_NODE_ROOT"
    name: str = nodes[0]["metadata"]["name"]
    return name


def ctr(socket: Path, folder: Path, line: str) -> str:
    """Run a line with ``ctr`` as root on the node would."""
    environment = {**os.environ, "CONTAINERD_ADDRESS": str(socket)}
    done = subprocess.run(["sh", "-euc", line], cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr.decode()}"
    return done.stdout.decode()


@dataclass
class Volumes:
    """Volumes of the node's disk, made by hand for claims that name no storage class."""

    cluster: Cluster
    node_root: Path
    made: list[str]

    def add(self, namespace: str, claim: str, size: str = "1Ti") -> Path:
        """Make a volume for one claim; return its folder. The kubelet gives it to a pod's ``fsGroup``."""
        name = f"{namespace}-{claim}"
        folder = self.node_root / "var/lib" / name
        folder.mkdir()
        self.made.append(name)
        on_node = {"key": "metadata.name", "operator": "In", "values": [node_name(self.cluster)]}
        spec = {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
            "storageClassName": "",
            "claimRef": {"namespace": namespace, "name": claim},
            "local": {"path": f"/var/lib/{name}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchFields": [on_node]}]}},
        }
        self.cluster.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
        return folder

    def remove(self) -> None:
        """Remove them; their claims are gone."""
        for name in self.made:
            self.cluster.kubectl.run("delete", "persistentvolume", name, "--wait", "--timeout=60s")
            shutil.rmtree(self.node_root / "var/lib" / name)

# SPDX-License-Identifier: Apache-2.0
"""``--cluster``: what a running cluster needs. kubectl is a program that answers as the recorded one did."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from airgap.bundle import open_bundle
from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import Images

#: Answers from the file in KUBECTL_ANSWERS by the words of the command line, and keeps each command line.
KUBECTL = """#!{python}
import json, os, sys
words = sys.argv[1:]
with open(os.environ["KUBECTL_LOG"], "a") as log:
    log.write(" ".join(words) + "\\n")
answers = json.load(open(os.environ["KUBECTL_ANSWERS"]))
if words[0] == "api-resources":
    print("\\n".join(answers["types"]))
    sys.exit(answers["discovery"])
items = []
for name in words[1].split(","):
    if name in answers["forbidden"]:
        sys.exit(f'Error from server (Forbidden): {{name}} is forbidden: User "u" cannot list resource "{{name}}"')
    items += answers["objects"].get(name, [])
print(json.dumps({{"apiVersion": "v1", "kind": "List", "items": items, "metadata": {{"resourceVersion": ""}}}}))
"""


def workload(kind: str, name: str, *images: str, owner: str = "", **spec: Any) -> dict[str, Any]:
    """An object as kubectl prints it, with what is not read: status, managed fields and what was applied last."""
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    pod_spec = {"containers": containers}
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
                {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "quay.io/e/formerly:1"}]}}
            )
        },
    }
    if owner:
        metadata["ownerReferences"] = [{"kind": "X", "name": owner, "controller": True, "uid": f"uid-{owner}"}]
    body = pod_spec if kind == "Pod" else {"template": {"metadata": {}, "spec": pod_spec}}
    status = {"containerStatuses": [{"image": "quay.io/e/in-status:1", "imageID": "docker.io/x@sha256:" + "1" * 64}]}
    api = "v1" if kind == "Pod" else "apps/v1"
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": {**body, **spec}, "status": status}


ANSWERS: dict[str, Any] = {
    "types": [
        "configmaps", "nodes", "pods", "deployments.apps", "replicasets.apps", "ingresses.networking.k8s.io",
        "databases.example.com", "secrets.example.com", "machines.cluster.x-k8s.io",
    ],
    "discovery": None,
    "forbidden": [],
    "objects": {
        "deployments.apps": [workload("Deployment", "web", "quay.io/e/web:2", replicas=1)],
        "replicasets.apps": [
            workload("ReplicaSet", "web-2", "quay.io/e/web:2", owner="web", replicas=1),
            workload("ReplicaSet", "web-1", "quay.io/e/web:1", owner="web", replicas=0),
        ],
        "pods": [
            workload("Pod", "web-2-a", "quay.io/e/web:2", owner="web-2"),
            workload("Pod", "web-2-b", "quay.io/e/web:2", "quay.io/e/injected:1", owner="web-2"),
            workload("Pod", "alone", "nginx"),
        ],
        "databases.example.com": [
            {
                "apiVersion": "example.com/v1",
                "kind": "Database",
                "metadata": {"name": "db", "namespace": "shop"},
                "spec": {"image": "quay.io/e/database:3"},
                "status": {"image": "quay.io/e/former-database:2"},
            }
        ],
        "nodes": [
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": "one"},
                "status": {
                    "images": [
                        {"names": ["quay.io/e/proxy@sha256:" + "2" * 64, "quay.io/e/proxy:v1"], "sizeBytes": 1},
                        {"names": ["quay.io/e/pinned@sha256:" + "3" * 64], "sizeBytes": 1},
                        {"names": ["<none>@<none>", "<none>:<none>"], "sizeBytes": 1},
                        {"names": None, "sizeBytes": 1},
                    ]
                },
            }
        ],
    },
}  # fmt: skip


class Cluster:
    """The answers of kubectl, and the commands that it was given."""

    def __init__(self, airgap: Airgap, folder: Path) -> None:
        self.airgap = airgap
        self.answers = json.loads(json.dumps(ANSWERS))
        self._file, self._log = folder / "answers.json", folder / "log"
        program = folder / "bin/kubectl"
        program.parent.mkdir()
        program.write_text(KUBECTL.format(python=sys.executable))
        program.chmod(0o755)
        airgap.environment |= {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "KUBECTL_ANSWERS": str(self._file),
            "KUBECTL_LOG": str(self._log),
        }
        self.save()

    def save(self) -> None:
        self._file.write_text(json.dumps(self.answers))

    def commands(self) -> list[str]:
        commands = self._log.read_text().splitlines()
        self._log.write_text("")
        return commands


@pytest.fixture
def cluster(airgap: Airgap, tmp_path: Path) -> Cluster:
    return Cluster(airgap, tmp_path)


EVERYTHING = [
    "docker.io/library/nginx:latest",
    "quay.io/e/database:3",
    "quay.io/e/injected:1",
    f"quay.io/e/pinned@sha256:{'3' * 64}",
    "quay.io/e/proxy:v1",
    "quay.io/e/web:2",
]


def test_workloads_custom_resources_and_what_nodes_hold(airgap: Airgap, cluster: Cluster) -> None:
    assert airgap.run("images", "--cluster", "--refs").text.split() == EVERYTHING
    assert cluster.commands() == [
        "api-resources --verbs=list --output=name",
        "get pods,deployments.apps,replicasets.apps,databases.example.com,machines.cluster.x-k8s.io,"
        "secrets.example.com --all-namespaces --output=json",
        "get nodes --all-namespaces --output=json",
    ]
    table = airgap.run("images", "--cluster").text
    assert "  Deployment shop/web  spec.template.spec.containers[0].image\n" in table
    assert "  Pod shop/web-2-b  spec.containers[1].image\n" in table
    assert "web-2-a" not in table  # its Deployment names the same
    assert "  Database shop/db  spec.image\n" in table
    assert "  nodes  lines[0]\n" in table


def test_a_context_and_a_namespace(airgap: Airgap, cluster: Cluster) -> None:
    found = airgap.run("images", "--cluster", "--context", "east", "-n", "shop", "--refs").text.split()
    assert found == [name for name in EVERYTHING if "proxy" not in name and "pinned" not in name]
    first, second = cluster.commands()
    assert first == "api-resources --verbs=list --output=name --namespaced=true --context=east"
    assert second.endswith("--namespace=shop --output=json --context=east")


def test_types_that_may_not_be_listed_are_named(airgap: Airgap, cluster: Cluster) -> None:
    cluster.answers["forbidden"] = ["secrets.example.com", "nodes"]
    cluster.save()
    said = airgap.run("images", "--cluster", "--refs", code=3)
    assert said.text.split() == [name for name in EVERYTHING if "proxy" not in name and "pinned" not in name]
    (warning,) = [line for line in said.stderr.splitlines() if line.startswith("warning:")]
    assert warning.startswith("warning: skipped 2 types of objects: ")
    assert "secrets.example.com is forbidden" in warning
    assert "nodes is forbidden" in warning
    assert said.errors == ["2 types of objects could not be read and may name more images"]
    said = airgap.run("images", "--cluster", "--strict", code=10)
    assert len(said.errors) == 2


def test_an_api_whose_server_does_not_answer(airgap: Airgap, cluster: Cluster) -> None:
    cluster.answers["discovery"] = "error: unable to list all: metrics.k8s.io/v1beta1: the server is busy"
    cluster.save()
    said = airgap.run("images", "--cluster", "--refs", code=3)
    assert said.text.split() == EVERYTHING
    (warning,) = [line for line in said.stderr.splitlines() if line.startswith("warning:")]
    assert "metrics.k8s.io/v1beta1: the server is busy" in warning


def test_export_takes_them_and_carries_no_objects(airgap: Airgap, cluster: Cluster) -> None:
    cluster.answers["objects"]["nodes"][0]["status"]["images"].pop(1)
    cluster.save()
    with Registry() as registry:
        images = Images(6)
        names = [name.partition("/")[2] for name in EVERYTHING if "pinned" not in name]
        registry.fill(images, {name: images.image() for name in names})
        hosts = {"quay.io": {"mirror": registry.url}, "docker.io": {"mirror": registry.url}}
        airgap.write("airgap.yaml", settings(hosts, resources=["gone.yaml"]))
        airgap.run("export", "--cluster", "-o", "b.tar")
    with open_bundle(airgap.folder / "b.tar") as bundle:
        inventory = bundle.inventory
    assert [str(image.reference) for image in inventory.images] == [name for name in EVERYTHING if "pinned" not in name]
    assert inventory.resources == ()


def test_what_goes_wrong_is_one_error(airgap: Airgap, cluster: Cluster, tmp_path: Path) -> None:
    airgap.fails(2, "images", "--cluster", "x.yaml")
    airgap.fails(2, "images", "--context", "east")
    cluster.answers["types"] = []
    cluster.answers["objects"] = {}
    cluster.save()
    assert "no image is named in what was read (the cluster)" in airgap.fails(10, "images", "--cluster").errors[0]
    said = airgap.fails(2, "images", "--cluster", environment={"PATH": str(tmp_path)})
    assert "kubectl get deploy,ds,sts,job,cronjob,pod -A -o json | airgap images -" in said.stderr
    (tmp_path / "bin/kubectl").write_text("#!/bin/sh\necho 'The connection to the server was refused' >&2; exit 1\n")
    said = airgap.fails(10, "images", "--cluster")
    assert "The connection to the server was refused" in said.errors[0]

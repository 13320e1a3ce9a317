# SPDX-License-Identifier: Apache-2.0
"""What manifests/nexus applies, read for the tests that hold it to something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
NEXUS = ROOT / "manifests" / "nexus"

Object = dict[str, Any]


def documents(path: Path) -> list[Object]:
    return [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8-sig")) if item is not None]


def objects(kind: str) -> dict[str, Object]:
    """Every object of a kind that the kustomization brings, by name."""
    listed = documents(NEXUS / "kustomization.yaml")[0]["resources"]
    found = [item for name in listed for item in documents(NEXUS / name) if item["kind"] == kind]
    assert found, kind
    return {item["metadata"]["name"]: item for item in found}


def pods() -> Iterator[tuple[Object, Object]]:
    """Each workload's pod template with the workload."""
    for kind in ("StatefulSet", "Deployment", "Job"):
        for workload in objects(kind).values():
            yield workload, workload["spec"]["template"]


def containers(pod: Object) -> list[Object]:
    """The pod's containers, those that run before the others included."""
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def images() -> set[str]:
    """Every image that a pod names."""
    return {container["image"] for _, pod in pods() for container in containers(pod)}

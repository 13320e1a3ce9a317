# SPDX-License-Identifier: Apache-2.0
"""The API server takes every object in ``manifests/``."""

from __future__ import annotations

import pytest
import yaml

from tests.cluster.kubernetes import ROOT, Cluster

pytestmark = pytest.mark.cluster

#: Not applied as they are: one is for kustomize, the other for helm.
INPUTS = ("kustomization.yaml", "values.yaml")


def test_the_api_server_takes_every_object(cluster: Cluster) -> None:
    paths = [path for path in sorted((ROOT / "manifests").rglob("*.yaml")) if path.name not in INPUTS]
    assert len(paths) > 8
    for path in paths:
        objects = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        for item in objects:
            if "namespace" in item["metadata"]:
                item["metadata"]["namespace"] = cluster.namespace
        content = yaml.safe_dump_all(objects).encode()
        said = cluster.kubectl.run("apply", "--dry-run=server", "-f", "-", stdin=content).decode()
        assert said.count("(server dry run)") == len(objects), path

# SPDX-License-Identifier: Apache-2.0
"""Where the documents of a rendering come from: template, hook, or the folder crds."""

from __future__ import annotations

import pytest

from airgap.kube import scan
from airgap.kube.render.origins import Origin, origins_by_document

RENDERING = b"""\
---
# Source: shop/crds/two.yaml
kind: CustomResourceDefinition
---
kind: CustomResourceDefinition
metadata: {name: second of one file}
---
# Source: shop/charts/cache/crds/one.yaml
kind: CustomResourceDefinition
---
# Source: shop/templates/crds/web.yaml
# Source: another/quoted.yaml
kind: Pod
metadata:
  labels: {list: [a, {b: c}], helm.sh/hook: no}
  annotations:
    other: x
spec:
  annotations: {helm.sh/hook: test}
---
# Source: shop/templates/job.yaml
apiVersion: v1
kind: Pod
metadata:
  annotations:
    list: [a, {b: c}]
    "helm.sh/hook": " Pre-Install,post-upgrade "
spec: {containers: [{image: "r.example/job:1"}]}
---
# Source: shop/templates/tests/one.yaml
apiVersion: v1
kind: Pod
metadata: {annotations: {helm.sh/hook: test-success}}
spec: {containers: [{image: "r.example/test:1"}]}
"""


def test_the_origin_of_each_document() -> None:
    assert origins_by_document(RENDERING, "x") == {
        1: Origin("shop/crds/two.yaml"),
        2: Origin("shop/crds/two.yaml"),
        3: Origin("shop/charts/cache/crds/one.yaml"),
        4: Origin("shop/templates/crds/web.yaml"),
        5: Origin("shop/templates/job.yaml", frozenset({"pre-install", "post-upgrade"})),
        6: Origin("shop/templates/tests/one.yaml", frozenset({"test-success"})),
    }


def test_what_helm_does_with_them() -> None:
    origins = origins_by_document(RENDERING, "x")
    assert [number for number, origin in origins.items() if origin.is_crd_file] == [1, 2, 3]
    assert [number for number, origin in origins.items() if origin.is_test] == [6]
    assert not Origin("x", frozenset({"test", "post-install"})).is_test


def test_documents_are_numbered_as_a_scan_does() -> None:
    origins = origins_by_document(RENDERING, "x")
    found = {str(site.reference): origins[site.document].template for site in scan(RENDERING, "x").sites}
    assert found["r.example/job:1"] == "shop/templates/job.yaml"
    assert found["r.example/test:1"] == "shop/templates/tests/one.yaml"


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"---\n", b"text\n", b"- a\n- {b: c}\n"])
def test_what_is_no_object(content: bytes) -> None:
    assert all(origin == Origin() for origin in origins_by_document(content, "x").values())

# SPDX-License-Identifier: Apache-2.0
"""What an operation of a JSON patch sets is read by the last key of its path."""

from __future__ import annotations

import pytest

from airgap.kube import scan
from airgap.kube.model import POSSIBLE


def found(path: str, value: str, operation: str = "replace") -> list[tuple[str, bool]]:
    """Each image of the operation, and whether it is more than possible."""
    content = f"- op: {operation}\n  path: {path}\n  value: {value}\n"
    return [(str(site.reference), site.confidence != POSSIBLE) for site in scan(content.encode(), "x").sites]


@pytest.mark.parametrize(
    ("path", "value", "image"),
    [
        ("/spec/template/spec/containers/0/image", "busybox", "docker.io/library/busybox:latest"),
        ("/spec/template/spec/initContainers/12/image", "busybox:1.36", "docker.io/library/busybox:1.36"),
        ("/spec/sidecarImage", "a/b:1", "docker.io/a/b:1"),
        ("/spec/values/x~1image", "q.example/a/b:1", "q.example/a/b:1"),
        ("/spec/template/spec/containers/0/args/-", "--x-image=a/b:1", "docker.io/a/b:1"),
        ("/spec/template/spec/containers/0/env/2/value", "q.example/a/b:1", "q.example/a/b:1"),
    ],
)
def test_the_path_says_what_the_value_is(path: str, value: str, image: str) -> None:
    assert found(path, value) == [(image, True)]
    assert found(path, value, "add") == [(image, True)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/spec/image", "fedora-cloud"),  # no container's, and neither path nor tag
        ("/spec/template/spec/containers/0/name", "busybox"),
        ("/spec/template/spec/containers/0/args/-", "--destination=q.example/a/b:1"),
        ("/status/image", "busybox:1"),
        ("image", "busybox:1"),  # no pointer
    ],
)
def test_what_the_path_does_not_name_is_not_taken(path: str, value: str) -> None:
    assert found(path, value) == []


def test_elsewhere_only_the_shape_counts() -> None:
    assert found("/metadata/annotations/image", "q.example/a/b:1") == [("q.example/a/b:1", False)]
    assert found("/spec/other", "q.example/a/b:1") == [("q.example/a/b:1", False)]


def test_without_an_operation_the_path_says_nothing() -> None:
    assert scan(b"- path: /spec/image\n  value: busybox:1\n", "x").sites == ()


def test_keys_for_parts_of_a_reference_may_be_names_of_images() -> None:
    content = b'{"images": {"operator-registry": "q.example/a/b:1", "web": "q.example/a/c:1"}}'
    assert [(str(site.reference), site.rule) for site in scan(content, "x").sites] == [
        ("q.example/a/b:1", "list-images"),
        ("q.example/a/c:1", "list-images"),
    ]

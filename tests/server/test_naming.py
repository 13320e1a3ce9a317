# SPDX-License-Identifier: Apache-2.0
"""A bundle's names served as a mirror: whole names, short names, `?ns=`, unnamed children."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.oci import Descriptor
from airgap.server import MirrorNaming, PlainNaming, Server
from airgap.server.naming import join_name, split_name
from airgap.store import ImageLayout, MemoryStore
from airgap.store.readers import bytes_opener
from tests.server.client import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, describe, digest_of, document, open_http

NAMES = [
    "docker.io/library/redis:7",
    "quay.io/jetstack/x:v1",
    "ghcr.io/jetstack/x:v1",
    "ghcr.io/jetstack/x:v2",
    "10.100.0.102:32415/a/b:v1",
    "[::1]:5000/six:v1",
]


def keep(store: MemoryStore | ImageLayout, content: bytes, media_type: str) -> Descriptor:
    descriptor = Descriptor(media_type, digest_of(content), len(content))
    store.push(descriptor, bytes_opener(content))
    return descriptor


def manifest_for(store: MemoryStore | ImageLayout, name: str) -> bytes:
    config = json.dumps({"os": "linux", "name": name}).encode()
    keep(store, config, OCI_CONFIG)
    return document(mediaType=OCI_MANIFEST, config=describe(config, OCI_CONFIG), layers=[], annotations={"name": name})


@pytest.fixture
def contents() -> dict[str, bytes]:
    return {}


@pytest.fixture
def mirror(contents: dict[str, bytes]) -> Iterator[httpx.Client]:
    store = MemoryStore()
    for name in NAMES:
        contents[name] = manifest_for(store, name)
        store.tag(keep(store, contents[name], OCI_MANIFEST), name)
    pinned = manifest_for(store, "pinned")
    contents["pinned"] = pinned
    store.tag(keep(store, pinned, OCI_MANIFEST), f"quay.io/only/digest@{digest_of(pinned)}")
    inner = document(mediaType=OCI_INDEX, manifests=[describe(child := manifest_for(store, "child"), OCI_MANIFEST)])
    outer = document(mediaType=OCI_INDEX, manifests=[describe(inner, OCI_INDEX)])
    contents.update(child=child, inner=inner, outer=outer)
    keep(store, child, OCI_MANIFEST)
    keep(store, inner, OCI_INDEX)
    store.tag(keep(store, outer, OCI_INDEX), "quay.io/multi/arch:v1")
    naming = MirrorNaming(store.names())
    with (
        Server(store, naming=naming) as server,
        open_http(server) as http,
    ):
        yield http


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("docker.io/library/redis/manifests/7", "docker.io/library/redis:7"),
        ("library/redis/manifests/7", "docker.io/library/redis:7"),
        ("library/redis/manifests/7?ns=docker.io", "docker.io/library/redis:7"),
        ("quay.io/jetstack/x/manifests/v1", "quay.io/jetstack/x:v1"),
        ("ghcr.io/jetstack/x/manifests/v1", "ghcr.io/jetstack/x:v1"),
        ("jetstack/x/manifests/v1?ns=quay.io", "quay.io/jetstack/x:v1"),
        ("jetstack/x/manifests/v1?ns=ghcr.io", "ghcr.io/jetstack/x:v1"),
        ("jetstack/x/manifests/v1", "quay.io/jetstack/x:v1"),
        ("jetstack/x/manifests/v2", "ghcr.io/jetstack/x:v2"),
        ("10.100.0.102_32415/a/b/manifests/v1", "10.100.0.102:32415/a/b:v1"),
        ("a/b/manifests/v1?ns=10.100.0.102:32415", "10.100.0.102:32415/a/b:v1"),
        ("six/manifests/v1?ns=[::1]:5000", "[::1]:5000/six:v1"),
        ("quay.io/jetstack/x/manifests/v1?ns=127.0.0.1:5000", "quay.io/jetstack/x:v1"),
    ],
)
def test_where_an_image_is_found(mirror: httpx.Client, contents: dict[str, bytes], path: str, name: str) -> None:
    assert mirror.get(f"/v2/{path}").content == contents[name]


@pytest.mark.parametrize(
    "path",
    [
        "jetstack/x/manifests/v1?ns=docker.io",
        "jetstack/x/manifests/v2?ns=quay.io",
        "quay.io/jetstack/x/manifests/v2",
        "redis/manifests/7",
        "x/manifests/v1",
    ],
)
def test_where_an_image_is_not_found(mirror: httpx.Client, path: str) -> None:
    assert mirror.get(f"/v2/{path}").status_code == 404


@pytest.mark.parametrize("repository", ["quay.io/multi/arch", "multi/arch"])
@pytest.mark.parametrize("what", ["outer", "inner", "child"])
def test_unnamed_children_are_found_by_digest(
    mirror: httpx.Client, contents: dict[str, bytes], repository: str, what: str
) -> None:
    answer = mirror.get(f"/v2/{repository}/manifests/{digest_of(contents[what])}")
    assert (answer.status_code, answer.content) == (200, contents[what])
    assert answer.headers["Content-Type"] == (OCI_MANIFEST if what == "child" else OCI_INDEX)
    assert mirror.get(f"/v2/library/redis/manifests/{digest_of(contents[what])}").status_code == 404


def test_a_pinned_image_has_no_tag(mirror: httpx.Client, contents: dict[str, bytes]) -> None:
    assert mirror.get("/v2/only/digest/tags/list").json()["tags"] == []
    assert mirror.get(f"/v2/only/digest/manifests/{digest_of(contents['pinned'])}").status_code == 200


def test_tags_of_whole_and_short_names(mirror: httpx.Client) -> None:
    assert mirror.get("/v2/quay.io/jetstack/x/tags/list").json()["tags"] == ["v1"]
    assert mirror.get("/v2/jetstack/x/tags/list").json()["tags"] == ["v1", "v2"]
    answer = mirror.get("/v2/jetstack/x/tags/list?ns=ghcr.io&n=1")
    assert answer.json()["tags"] == ["v1"]
    assert mirror.get(answer.links["next"]["url"]).json()["tags"] == ["v2"]


def test_the_catalog_lists_whole_names(mirror: httpx.Client) -> None:
    listed = mirror.get("/v2/_catalog").json()["repositories"]
    assert "10.100.0.102_32415/a/b" in listed
    assert "quay.io/jetstack/x" in listed
    assert "jetstack/x" not in listed


def test_a_layout_of_others_needs_no_names_by_digest(tmp_path: Path) -> None:
    """Other programs name an image by its tag alone, and its children not at all."""
    layout = ImageLayout.create(tmp_path)
    child = manifest_for(layout, "child")
    keep(layout, child, OCI_MANIFEST)
    index = document(manifests=[describe(child, OCI_MANIFEST)])
    layout.tag(Descriptor("", digest_of(index), keep(layout, index, "").size), "busybox:1.36")
    with Server(layout) as server, open_http(server) as http:
        for reference in ("1.36", digest_of(index)):
            answer = http.get(f"/v2/busybox/manifests/{reference}")
            assert (answer.content, answer.headers["Content-Type"]) == (index, OCI_INDEX)
        assert http.get(f"/v2/busybox/manifests/{digest_of(child)}").content == child


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/b:v1", ("a/b", "v1")),
        ("h:5000/a:v1", ("h:5000/a", "v1")),
        ("a@sha256:" + "0" * 64, ("a", "sha256:" + "0" * 64)),
        ("h:5000/a", ("", "")),
        ("v1", ("", "")),
        ("a@b", ("", "")),
        ("", ("", "")),
    ],
)
def test_names_are_split_and_joined(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts
    if parts[0]:
        assert join_name(*parts) == name


def test_plain_names_stand_for_themselves() -> None:
    assert list(PlainNaming().candidates("a/b", "quay.io")) == ["a/b"]
    assert PlainNaming().public_name("a/b") == "a/b"

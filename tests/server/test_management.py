# SPDX-License-Identifier: Apache-2.0
"""distribution-spec, "Content Management": deleting tags, manifests and blobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.oci import Descriptor
from airgap.server import Server
from airgap.store import ImageLayout, MemoryStore, Opener, Reader, Store
from tests.server.client import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Client,
    code,
    describe,
    digest_of,
    document,
    open_http,
)

ABSENT = "sha256:" + "0" * 64


def test_deleting_a_tag_keeps_the_manifest(client: Client) -> None:
    manifest = client.image("v1")
    client.put(manifest, "v2")
    assert client.http.delete(client.path("manifests/v1")).status_code == 202
    assert client.http.get(client.path("manifests/v1")).status_code == 404
    assert client.http.get(client.path("manifests/v2")).content == manifest
    assert client.http.get(client.path(f"manifests/{digest_of(manifest)}")).content == manifest
    assert client.http.get(client.path("tags/list")).json()["tags"] == ["v2"]


def test_deleting_a_manifest_takes_its_tags(client: Client) -> None:
    manifest = client.image("v1")
    client.put(manifest, "v2")
    client.image("other", "other")
    assert client.http.delete(client.path(f"manifests/{digest_of(manifest)}")).status_code == 202
    for reference in ("v1", "v2", digest_of(manifest)):
        assert client.http.get(client.path(f"manifests/{reference}")).status_code == 404
    assert client.http.get(client.path("tags/list")).json()["tags"] == ["other"]


def test_deleting_in_one_repository_leaves_the_other(client: Client) -> None:
    manifest = client.image("v1")
    other = Client(client.http, "some/other")
    other.put(manifest, "v1")
    assert client.http.delete(client.path(f"manifests/{digest_of(manifest)}")).status_code == 202
    assert client.http.get(client.path(f"manifests/{digest_of(manifest)}")).status_code == 404
    assert other.http.get(other.path("manifests/v1")).content == manifest


def test_a_deleted_child_is_gone_though_its_index_stays(client: Client) -> None:
    child = client.image()
    Client(client.http, "some/other").put(child)
    client.index([child], "v1")
    path = client.path(f"manifests/{digest_of(child)}")
    assert client.http.delete(path).status_code == 202
    assert client.http.get(path).status_code == 404
    assert client.http.delete(path).status_code == 404
    assert client.http.get(client.path("manifests/v1")).status_code == 200
    client.put(child)
    assert client.http.get(path).status_code == 200


def test_deleting_a_blob(client: Client) -> None:
    path = client.path(f"blobs/{client.blob(b'content')}")
    assert client.http.delete(path).status_code == 202
    assert client.http.get(path).status_code == 404
    assert client.http.head(path).status_code == 404
    answer = client.http.delete(path)
    assert (answer.status_code, code(answer)) == (404, "BLOB_UNKNOWN")
    client.blob(b"content")
    assert client.http.get(path).content == b"content"


@pytest.mark.parametrize("reference", ["v9", ABSENT, ".odd"])
def test_deleting_an_absent_manifest(client: Client, reference: str) -> None:
    client.image("v1")
    answer = client.http.delete(client.path(f"manifests/{reference}"))
    assert (answer.status_code, code(answer)) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("place", ["manifests", "blobs"])
def test_deleting_an_invalid_digest(client: Client, place: str) -> None:
    answer = client.http.delete(client.path(f"{place}/sha256:no"))
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


def test_a_manifest_is_not_deleted_as_a_blob(client: Client) -> None:
    manifest = client.image("v1")
    answer = client.http.delete(client.path(f"blobs/{digest_of(manifest)}"))
    assert (answer.status_code, code(answer)) == (405, "UNSUPPORTED")
    assert client.http.get(client.path("manifests/v1")).content == manifest


def test_pushing_again_after_deleting(client: Client) -> None:
    manifest = client.image("v1")
    client.http.delete(client.path(f"manifests/{digest_of(manifest)}"))
    assert client.put(manifest, "v1").status_code == 201
    assert client.http.get(client.path("manifests/v1")).content == manifest


WRITES = [
    ("POST", "blobs/uploads/"),
    ("PATCH", "blobs/uploads/1"),
    ("PUT", f"blobs/uploads/1?digest={ABSENT}"),
    ("DELETE", "blobs/uploads/1"),
    ("PUT", "manifests/v1"),
    ("DELETE", "manifests/v1"),
    ("DELETE", f"manifests/{ABSENT}"),
    ("DELETE", f"blobs/{ABSENT}"),
]


@pytest.fixture
def read_only(store: Store) -> Iterator[Client]:
    with (
        Server(store, writable=True) as server,
        open_http(server) as http,
    ):
        Client(http).image("v1")
    with Server(store) as server, open_http(server) as http:
        yield Client(http)


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_read_only_registry_refuses_to_write(read_only: Client, method: str, path: str) -> None:
    answer = read_only.http.request(method, read_only.path(path), content=b"x" if method != "DELETE" else None)
    assert (answer.status_code, code(answer)) == (405, "UNSUPPORTED")
    assert answer.headers["Allow"] == "GET, HEAD"
    assert read_only.http.get(read_only.path("manifests/v1")).status_code == 200


class Keeping:
    """A store that can be written and not erased."""

    def __init__(self) -> None:
        self._memory = MemoryStore()

    def resolve(self, name: str) -> Descriptor:
        return self._memory.resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        return self._memory.exists(descriptor)

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        return self._memory.open(descriptor, offset)

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        self._memory.push(descriptor, opener)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        self._memory.tag(descriptor, name)


@pytest.mark.parametrize("path", ["manifests/v1", f"blobs/{ABSENT}"])
def test_a_store_that_cannot_delete(path: str) -> None:
    with (
        Server(Keeping(), writable=True) as server,
        open_http(server) as http,
    ):
        client = Client(http)
        client.image("v1")
        answer = http.delete(client.path(path))
        assert (answer.status_code, code(answer)) == (405, "UNSUPPORTED")
        assert http.get(client.path("manifests/v1")).status_code == 200


def test_a_layout_is_left_as_others_can_read_it(tmp_path: Path) -> None:
    layout = ImageLayout.create(tmp_path / "layout")
    with (
        Server(layout, writable=True) as server,
        open_http(server) as http,
    ):
        client = Client(http)
        manifest = client.image("v1")
    digest = digest_of(manifest)
    assert ImageLayout(tmp_path / "layout").resolve("some/app:v1").digest == digest
    assert set(ImageLayout(tmp_path / "layout").names()) == {"some/app:v1", f"some/app@{digest}"}
    assert [path for path in (tmp_path / "layout").rglob("*") if path.name.startswith((".push", ".airgap"))] == []


def test_a_blob_that_another_repository_needs_stays(client: Client) -> None:
    """All repositories of a store share their blobs: one must not take a layer from another's image."""
    Client(client.http, "some/other").image("v1")
    layer = client.blob(b"layer")
    other = Client(client.http, "some/other")
    manifest = other.http.get(other.path("manifests/v1")).json()
    shared = manifest["layers"][0]["digest"]
    refused = client.http.delete(client.path(f"blobs/{shared}"))
    assert (refused.status_code, code(refused)) == (405, "UNSUPPORTED")
    assert other.http.get(other.path(f"blobs/{shared}")).status_code == 200
    if layer != shared:
        assert client.http.delete(client.path(f"blobs/{layer}")).status_code == 202


class Losing(MemoryStore):
    """A store from which another client deletes a blob in the moment in which a manifest gets its name."""

    lost = ""

    def tag(self, descriptor: Descriptor, name: str) -> None:
        if self.lost:
            self.delete(self.lost)
        super().tag(descriptor, name)


def test_a_manifest_whose_blob_vanishes_is_not_accepted() -> None:
    store = Losing()
    with Server(store, writable=True) as server, open_http(server) as http:
        client = Client(http)
        old = client.image("v1", "old")
        config = client.blob(b"{}")
        layer = client.blob(b"layer")
        store.lost = layer
        new = document(
            mediaType=OCI_MANIFEST, config=describe(b"{}", OCI_CONFIG), layers=[describe(b"layer", OCI_LAYER)]
        )
        answer = client.put(new, "v1")
        assert (answer.status_code, code(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")
        assert http.get(client.path("manifests/v1")).content == old
        assert http.get(client.path(f"manifests/{digest_of(new)}")).status_code == 404
        assert http.get(client.path(f"blobs/{config}")).status_code == 200

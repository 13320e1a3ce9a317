# SPDX-License-Identifier: Apache-2.0
"""Statements 26 to 32 and 36: manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airgap.oci import Descriptor
from tests.doubles.nexus import ADMIN, Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import Said, ask, push, upload
from tests.doubles.nexus.content import digest_of
from tests.doubles.nexus.manifests import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.doubles.nexus.settings import Profile
from tests.parts.images import Images


@pytest.fixture
def double() -> Iterator[Nexus]:
    with nexus() as server:
        yield server


@pytest.fixture
def images() -> Images:
    return Images(2)


def put(url: str, image: str, reference: str, images: Images, root: Descriptor) -> Said:
    where = f"{url}/v2/{image}/manifests/{reference}"
    return ask("PUT", where, images.content[root.digest], Content_Type=root.media_type)


def test_26_put(double: Nexus, images: Images) -> None:
    root = images.image()
    said = push(double.connector().url, images, "team/app", "v1", root)
    assert (said.status, said.headers["Docker-Content-Digest"]) == (201, root.digest)
    with nexus(Settings(manifest_digest=False)) as bare:
        assert "Docker-Content-Digest" not in push(bare.connector().url, images, "a", "v1", root).headers


def test_27_a_missing_blob_is_400_in_156_bytes(double: Nexus, images: Images) -> None:
    root = images.image()
    said = put(double.connector().url, "a", "v1", images, root)
    config = json.loads(images.content[root.digest])["config"]["digest"]
    assert (said.status, said.code, said.detail) == (400, "BLOB_UNKNOWN", config)
    assert len(said.body) == 156


def test_27_what_head_says_proves_nothing(double: Nexus, images: Images) -> None:
    url, root = double.connector().url, images.image(layers=1)
    layer = json.loads(images.content[root.digest])["layers"][0]["digest"]
    assert push(url, images, "a", "v1", root).status == 201
    double.repository().lose(layer)
    assert ask("HEAD", f"{url}/v2/a/blobs/{layer}").status == 200
    assert put(url, "a", "v2", images, root).detail == layer
    assert upload(url, "a", images.content[layer]).status == 201
    assert put(url, "a", "v2", images, root).status == 201


def test_28_children_are_looked_for_under_the_same_name(double: Nexus, images: Images) -> None:
    url = double.connector().url
    child = images.image()
    index = images.index([child])
    assert push(url, images, "elsewhere", child.digest, child).status == 201
    said = put(url, "app", "v1", images, index)
    assert (said.status, said.code, said.detail) == (400, "BLOB_UNKNOWN", child.digest)
    assert push(url, images, "app", "v1", index).status == 201


def test_29_head_by_tag(double: Nexus, images: Images) -> None:
    url, root = double.connector().url, images.image(docker=True)
    push(url, images, "a", "v1", root)
    said = ask("HEAD", f"{url}/v2/a/manifests/v1", Accept=DOCKER_MANIFEST)
    assert (said.status, said.headers["Docker-Content-Digest"]) == (200, root.digest)
    assert (said.headers["Content-Type"], said.headers["Content-Length"]) == (root.media_type, str(root.size))
    assert ask("GET", f"{url}/v2/a/manifests/v2").code == "MANIFEST_UNKNOWN"


def test_29_head_may_be_404_while_get_is_200(images: Images) -> None:
    with nexus(Settings(head_manifest=False)) as double:
        url, root = double.connector().url, images.image()
        push(url, images, "a", "v1", root)
        assert ask("HEAD", f"{url}/v2/a/manifests/v1").status == 404
        assert ask("GET", f"{url}/v2/a/manifests/v1").body == images.content[root.digest]


@pytest.mark.parametrize(("accept", "schema"), [("", 1), (f"{DOCKER_MANIFEST};q=0.9", 1), (DOCKER_MANIFEST, 2)])
def test_29_legacy_serves_schema_1_to_who_lists_nothing(images: Images, accept: str, schema: int) -> None:
    with nexus(Settings(profile="legacy")) as double:
        url, root = double.connector().url, images.image(docker=True, layers=2)
        push(url, images, "a", "v1", root)
        said = ask("GET", f"{url}/v2/a/manifests/v1", headers={"Accept": accept} if accept else None)
        assert said.json()["schemaVersion"] == schema
        assert (said.headers["Docker-Content-Digest"] == root.digest) == (schema == 2)
        if schema == 1:
            layers = [layer["digest"] for layer in json.loads(images.content[root.digest])["layers"]]
            assert [layer["blobSum"] for layer in said.json()["fsLayers"]] == layers[::-1]


def test_29_schema_1_is_a_switch(images: Images) -> None:
    for served, schema in ((True, 1), (False, 2)):
        with nexus(Settings(profile="3.96" if served else "legacy", schema1=served)) as double:
            push(double.connector().url, images, "a", "v1", images.image(docker=True))
            said = ask("GET", f"{double.connector().url}/v2/a/manifests/v1")
            assert said.json()["schemaVersion"] == schema


@pytest.mark.parametrize("kind", ["oci", "docker-strict"])
def test_30_without_a_length_411(images: Images, kind: str) -> None:
    repository = Repository("docker-hosted", format="oci" if kind == "oci" else "docker", connector="http")
    with nexus(Settings(repositories=(repository,), manifest_length=kind != "oci")) as double:
        root = images.image()
        where = f"{double.connector().url}/v2/a/manifests/v1"
        said = ask("PUT", where, iter([images.content[root.digest]]), Content_Type=root.media_type)
        assert (said.status, said.code, said.detail) == (411, "MANIFEST_INVALID", {"maxSize": 10485760})
        assert push(double.connector().url, images, "a", "v1", root).status == 201


def test_30_docker_takes_them(double: Nexus, images: Images) -> None:
    url, root = double.connector().url, images.image()
    push(url, images, "a", "v1", root)
    where = f"{url}/v2/a/manifests/v2"
    said = ask("PUT", where, iter([images.content[root.digest]]), Content_Type=root.media_type)
    assert said.status == 201


@pytest.mark.parametrize("profile", ["3.71", "3.8x", "3.96"])
def test_31_index_and_attestations_are_accepted(profile: Profile, images: Images) -> None:
    with nexus(Settings(profile=profile)) as double:
        url, root = double.connector().url, images.two_platforms(attested=True)
        assert push(url, images, "a", "v1", root).status == 201
        said = ask("GET", f"{url}/v2/a/manifests/v1", Accept=OCI_INDEX)
        assert digest_of(said.body) == root.digest


def test_31_before_oci_images_are_spoilt_or_refused(images: Images) -> None:
    with nexus(Settings(profile="legacy")) as double:
        url = double.connector().url
        root = images.image()
        assert push(url, images, "a", "v1", root).status == 201
        document = json.loads(images.content[root.digest])
        del document["mediaType"]
        where = f"{url}/v2/a/manifests/bare"
        assert ask("PUT", where, json.dumps(document).encode(), Content_Type=OCI_MANIFEST).status == 201
        assert ask("GET", where, Accept=OCI_MANIFEST).headers["Content-Type"] == "application/json"
        assert push(url, images, "a", "many", images.index([root])).code == "MANIFEST_INVALID"
        assert push(url, images, "a", "docker", images.two_platforms(docker=True)).status == 201
    with nexus(Settings(oci_images="refused")) as double:
        assert push(double.connector().url, images, "a", "v1", images.image()).status == 400


def test_31_referrers_and_zstd_are_switches(double: Nexus, images: Images) -> None:
    url, root = double.connector().url, images.image()
    bill = images.artifact(subject=root)
    push(url, images, "a", "v1", root)
    assert push(url, images, "a", bill.digest, bill).status == 201
    assert ask("GET", f"{url}/v2/a/referrers/{root.digest}").status == 404
    zstd = images.image(layers=[images.layer(media_type="application/vnd.oci.image.layer.v1.tar+zstd")])
    assert push(url, images, "a", "zstd", zstd).status == 201
    with nexus(Settings(referrers=True, zstd=False)) as other:
        url = other.connector().url
        push(url, images, "a", "v1", root)
        push(url, images, "a", bill.digest, bill)
        referrers = ask("GET", f"{url}/v2/a/referrers/{root.digest}").json()["manifests"]
        assert [entry["digest"] for entry in referrers] == [bill.digest]
        assert push(url, images, "a", "zstd", zstd).code == "MANIFEST_INVALID"


def test_32_head_by_digest_may_be_500(images: Images) -> None:
    with nexus(Settings(head_by_digest_500=True)) as double:
        url, root = double.connector().url, images.image()
        push(url, images, "a", "v1", root)
        assert ask("HEAD", f"{url}/v2/a/manifests/{root.digest}").status == 500
        assert ask("GET", f"{url}/v2/a/manifests/{root.digest}").status == 200
        assert ask("HEAD", f"{url}/v2/a/manifests/v1").status == 200


def test_36_delete_by_tag_and_by_digest(double: Nexus, images: Images) -> None:
    url, root = double.connector().url, images.image()
    push(url, images, "a", "v1", root)
    for tag in ("v2", "v3"):
        assert put(url, "a", tag, images, root).status == 201
    assert ask("DELETE", f"{url}/v2/a/manifests/v1", user=ADMIN).status == 202
    assert set(double.repository().tags["a"]) == {"v2", "v3"}
    assert ask("GET", f"{url}/v2/a/manifests/{root.digest}").status == 200
    assert ask("DELETE", f"{url}/v2/a/manifests/{root.digest}", user=ADMIN).status == 202
    assert double.repository().tags == {}
    assert ask("GET", f"{url}/v2/a/manifests/{root.digest}").status == 404


def test_36_a_components_deletion_takes_one_tag(double: Nexus, images: Images) -> None:
    url, root = double.connector().url, images.image()
    push(url, images, "a", "v1", root)
    put(url, "a", "v2", images, root)
    rest = f"{double.url}/service/rest/v1/components"
    items = ask("GET", f"{rest}?repository=docker-hosted").json()["items"]
    (doomed,) = [item["id"] for item in items if item["version"] == "v1"]
    assert ask("GET", f"{rest}/{doomed}").json()["version"] == "v1"
    assert ask("DELETE", f"{rest}/{doomed}").status == 403
    assert ask("DELETE", f"{rest}/{doomed}", user=ADMIN).status == 204
    assert double.repository().tags == {"a": {"v2": root.digest}}
    assert ask("GET", f"{url}/v2/a/manifests/{root.digest}").status == 200
    assert ask("DELETE", f"{rest}/{doomed}", user=ADMIN).status == 404


def test_manifests_that_are_none_are_refused(double: Nexus, images: Images) -> None:
    url, root = double.connector().url, images.image()
    where = f"{url}/v2/a/manifests/v1"
    for body, kind in ((b"no json", root.media_type), (b"[]", root.media_type), (b"{}", "text/plain")):
        assert ask("PUT", where, body, Content_Type=kind).code == "MANIFEST_INVALID"
    push(url, images, "a", "v1", root)
    said = put(url, "a", f"sha256:{'0' * 64}", images, root)
    assert (said.status, said.code) == (400, "DIGEST_INVALID")

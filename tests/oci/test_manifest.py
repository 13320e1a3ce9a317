# SPDX-License-Identifier: Apache-2.0
"""Manifests of every kind: what they lead to, what is refused, and that their bytes are never written anew."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ContentError, NotFound
from airgap.oci import Descriptor, Platform
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.records import replace
from tests.parts.images import IN_TOTO, OCI_LAYER_NONDISTRIBUTABLE, Images

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
D = {"mediaType": "application/x", "digest": digests.of(b"x"), "size": 1}


@pytest.fixture
def images() -> Images:
    return Images(1)


def parsed(images: Images, descriptor: Descriptor) -> manifests.Manifest:
    return manifests.parse(images.content[descriptor.digest], descriptor.media_type)


@pytest.mark.parametrize("docker", [False, True])
def test_image(images: Images, docker: bool) -> None:
    root = images.image(layers=3, docker=docker, annotations={"a": "b"})
    found = parsed(images, root)
    assert found.descriptor == root
    assert found.content == images.content[root.digest]
    assert found.config is not None
    assert found.config.media_type == (manifests.DOCKER_CONFIG if docker else manifests.OCI_CONFIG)
    assert len(found.layers) == 3
    assert found.blobs == (found.config, *found.layers) == manifests.successors(found)
    assert found.is_container_image
    assert not found.is_index
    assert found.annotations == {"a": "b"}


@pytest.mark.parametrize("docker", [False, True])
def test_index(images: Images, docker: bool) -> None:
    root = images.two_platforms(docker=docker)
    found = parsed(images, root)
    assert found.is_index
    assert not found.is_container_image
    assert [child.platform for child in found.children] == [AMD64, ARM64]
    assert manifests.successors(found) == found.children
    assert found.descriptor.media_type == (manifests.DOCKER_LIST if docker else manifests.OCI_INDEX)


def test_nested_index(images: Images) -> None:
    inner = images.two_platforms()
    root = images.index([inner, images.image("linux/s390x")])
    found = parsed(images, root)
    assert found.children[0] == inner
    assert manifests.is_manifest_type(found.children[0].media_type)
    assert [descriptor.digest for descriptor in images.needed(root)][-1] == root.digest


def test_artifact_with_subject(images: Images) -> None:
    image = images.image()
    found = parsed(images, images.artifact("application/vnd.example.sbom", subject=image))
    assert found.subject == image
    assert found.artifact_type == "application/vnd.example.sbom"
    assert not found.is_container_image
    assert found.config is not None
    assert (found.config.media_type, found.config.size) == (manifests.OCI_EMPTY, 2)
    # A subject may be absent (distribution-spec "Pushing Manifests with Subject"): it is not needed.
    assert image not in manifests.successors(found)


def test_artifact_type_falls_back_to_the_config(images: Images) -> None:
    """distribution-spec "Listing Referrers": artifactType, or where it is missing the config's media type."""
    assert parsed(images, images.image()).artifact_type == manifests.OCI_CONFIG
    index = images.index([], subject=images.image())
    assert parsed(images, index).artifact_type == ""
    assert parsed(images, index).subject is not None


def test_attestation(images: Images) -> None:
    image = images.image()
    child = images.attestation(image)
    assert manifests.attested_digest(child) == image.digest
    assert manifests.attested_digest(image) == ""
    found = parsed(images, child)
    assert found.layers[0].media_type == IN_TOTO
    assert not found.is_container_image


def test_oci_artifact_manifest_of_the_release_candidate() -> None:
    document = {"mediaType": manifests.OCI_ARTIFACT, "artifactType": "a/b", "blobs": [D], "subject": D}
    found = manifests.parse(json.dumps(document).encode())
    assert (found.config, len(found.layers), found.artifact_type) == (None, 1, "a/b")


def test_non_distributable_layers(images: Images) -> None:
    layer = images.layer(media_type=OCI_LAYER_NONDISTRIBUTABLE)
    found = parsed(images, images.image(layers=[layer]))
    assert manifests.is_nondistributable(found.layers[0])
    foreign = replace(layer.descriptor, media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    assert manifests.is_nondistributable(foreign)
    assert not manifests.is_nondistributable(images.layer().descriptor)


def test_unknown_media_types_are_carried_untouched() -> None:
    content = b'{ "schemaVersion":2,\n\t"mediaType": "application/vnd.example.new+json", "layers": [1] }'
    found = manifests.parse(content)
    assert (found.descriptor.media_type, found.content) == ("application/vnd.example.new+json", content)
    assert manifests.successors(found) == ()


def test_bytes_are_kept_as_they_are(images: Images) -> None:
    content = b' {"layers" : [ ],\r\n  "config":' + json.dumps(D).encode() + b', "x": "\\u00e9", "schemaVersion":2 }\n'
    found = manifests.parse(content)
    assert found.content == content
    assert found.descriptor == Descriptor(manifests.OCI_MANIFEST, digests.of(content), len(content))


@pytest.mark.parametrize(
    ("said", "announced", "found"),
    [
        (manifests.OCI_MANIFEST, manifests.OCI_MANIFEST, manifests.OCI_MANIFEST),
        (manifests.DOCKER_MANIFEST, "", manifests.DOCKER_MANIFEST),
        (manifests.OCI_MANIFEST, "application/octet-stream", manifests.OCI_MANIFEST),
        (manifests.OCI_MANIFEST, "application/json; charset=utf-8", manifests.OCI_MANIFEST),
        ("", manifests.OCI_MANIFEST + "; charset=utf-8", manifests.OCI_MANIFEST),
        ("", "", manifests.OCI_MANIFEST),
    ],
)
def test_media_type(said: str, announced: str, found: str) -> None:
    document: dict[str, Any] = {"schemaVersion": 2, "config": D, "layers": []}
    if said:
        document["mediaType"] = said
    assert manifests.parse(json.dumps(document).encode(), announced).descriptor.media_type == found


def test_an_index_by_its_shape() -> None:
    assert manifests.parse(b'{"schemaVersion":2,"manifests":[]}').is_index


def test_two_types_at_once_are_refused() -> None:
    document = {"mediaType": manifests.OCI_MANIFEST, "config": D, "layers": []}
    with pytest.raises(ContentError, match=r"announced as .*list.*, but says of itself .*oci.*manifest"):
        manifests.parse(json.dumps(document).encode(), manifests.DOCKER_LIST)


@pytest.mark.parametrize("media_type", ["", manifests.OCI_INDEX, manifests.OCI_MANIFEST, manifests.DOCKER_MANIFEST])
def test_a_document_that_is_index_and_image_is_refused(media_type: str) -> None:
    document = {"manifests": [], "config": D, "layers": []}
    with pytest.raises(ContentError, match="at once"):
        manifests.parse(json.dumps(document).encode(), media_type)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b'{"schemaVersion":1,"name":"a","fsLayers":[]}', ""),
        (b'{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        (b"{}", "application/vnd.docker.distribution.manifest.v1+json"),
    ],
)
def test_schema_1_is_refused_with_a_way_out(content: bytes, media_type: str) -> None:
    with pytest.raises(NotFound, match="schema 1") as caught:
        manifests.parse(content, media_type, where="quay.io/a/b:1")
    assert str(caught.value).startswith("quay.io/a/b:1: ")
    assert "push the image once more" in (caught.value.hint or "")


def _manifest(**parts: Any) -> bytes:
    return json.dumps({"mediaType": manifests.OCI_MANIFEST, "config": D, "layers": [], **parts}).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "more than 32 levels deep"),
        (b"[]", "must be a JSON object"),
        (b"3", "must be a JSON object"),
        (b'{"mediaType":3}', "mediaType is no string"),
        (_manifest(config=None), "without config"),
        (_manifest(config=3), "must be a JSON object"),
        (_manifest(layers={}), "layers is no list"),
        (_manifest(layers=[3]), "must be a JSON object"),
        (_manifest(layers=[{**D, "digest": None}]), "it is missing"),
        (_manifest(layers=[{**D, "digest": "sha256:../../x"}]), "written algorithm:hex"),
        (_manifest(layers=[{**D, "digest": "md5:" + "0" * 32}]), "unknown digest algorithm"),
        (_manifest(layers=[{**D, "size": -1}]), "size -1"),
        (_manifest(layers=[{**D, "size": "1"}]), "size '1'"),
        (_manifest(layers=[{**D, "size": True}]), "size True"),
        (_manifest(layers=[{**D, "size": 1.5}]), "size 1.5"),
        (_manifest(layers=[{**D, "size": 1 << 62}]), "size 4611686018427387904"),
        (_manifest(subject="x"), "must be a JSON object"),
    ],
)
def test_what_is_no_manifest(content: bytes, words: str) -> None:
    with pytest.raises(ContentError) as caught:
        manifests.parse(content, where="a/b:1")
    assert words in str(caught.value)
    assert "a/b:1" in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("mediaType", "schemaVersion", "config", "layers", "manifests", "subject", "annotations", "blobs")
FIELDS = ("digest", "size", "mediaType", "platform", "annotations", "urls", "artifactType")


@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_is_read_or_refused(document: dict[str, Any], fields: dict[str, Any]) -> None:
    layer = {**D, **fields}
    for whole in (document, {**document, "config": D, "layers": [layer], "mediaType": manifests.OCI_MANIFEST}):
        content = json.dumps(whole).encode()
        try:
            found = manifests.parse(content)
        except (ContentError, NotFound):
            continue
        assert found.content == content
        assert found.descriptor.size == len(content)


def test_descriptor_both_ways() -> None:
    document = {**D, "platform": AMD64.to_json(), "annotations": {"a": "b"}, "artifactType": "c/d"}
    found = Descriptor.from_json({**document, "urls": ["https://example.com/x", 3]})
    assert found.to_json() == document
    assert found.urls == ("https://example.com/x",)
    assert Descriptor.from_json({**D, "urls": 3}).urls == ()
    # What describes takes no part in what is the same.
    assert found == Descriptor.from_json(D)
    assert len({found, Descriptor.from_json(D)}) == 1


class TestChoose:
    @pytest.fixture
    def index(self, images: Images) -> manifests.Manifest:
        children = [images.image(platform) for platform in ("linux/amd64", "linux/arm64", "linux/arm/v7")]
        children += [images.attestation(child) for child in children]
        return parsed(images, images.index(children))

    def test_one_keeps_its_attestation(self, index: manifests.Manifest) -> None:
        chosen = manifests.select_platforms(index, [ARM64])
        assert chosen == (index.children[1], index.children[4])
        assert manifests.attested_digest(chosen[1]) == chosen[0].digest

    def test_several_in_the_index_s_order(self, index: manifests.Manifest) -> None:
        chosen = manifests.select_platforms(index, [Platform("linux", "arm"), AMD64])
        assert chosen == tuple(index.children[place] for place in (0, 2, 3, 5))

    def test_what_is_missing_and_what_is_there(self, index: manifests.Manifest) -> None:
        with pytest.raises(NotFound, match="has no linux/s390x, windows/amd64") as caught:
            manifests.select_platforms(index, [AMD64, Platform("linux", "s390x"), Platform("windows", "amd64")])
        assert "linux/amd64, linux/arm64, linux/arm/v7" in (caught.value.hint or "")
        assert "unknown" not in (caught.value.hint or "")

    def test_nothing_at_all(self, images: Images) -> None:
        bare = parsed(images, images.index([replace(images.image(), platform=None)]))
        with pytest.raises(NotFound) as caught:
            manifests.select_platforms(bare, [AMD64])
        assert "no platform at all" in (caught.value.hint or "")

    def test_versions_of_an_os_are_alternatives_for_one(self, images: Images) -> None:
        versions = ("windows(10.0.1)/amd64", "windows(10.0.2)/amd64")
        index = parsed(images, images.index([images.image(version) for version in versions]))
        assert manifests.select_platforms(index, [Platform("windows", "amd64")]) == index.children[:1]
        assert manifests.select_platforms(index, [Platform.parse(versions[1])]) == index.children[1:]


class TestDerive:
    @pytest.mark.parametrize("docker", [False, True])
    def test_keeps_children_and_type(self, images: Images, docker: bool) -> None:
        children = [images.image(platform, docker=docker) for platform in ("linux/amd64", "linux/arm64", "linux/s390x")]
        index = parsed(images, images.index(children, docker=docker, annotations={"b": "1", "a": "é"}))
        derived = manifests.filter_index(index, [index.children[2], index.children[0]])
        assert derived.descriptor.media_type == index.descriptor.media_type
        assert derived.children == (index.children[0], index.children[2])
        assert derived.annotations == {"b": "1", "a": "é"}
        assert derived.descriptor.digest != index.descriptor.digest
        before = json.loads(index.content)["manifests"]
        assert json.loads(derived.content)["manifests"] == [before[0], before[2]]

    def test_fixed_bytes_whatever_the_order_of_keys(self, images: Images) -> None:
        index = parsed(images, images.two_platforms())
        shuffled = json.dumps(dict(reversed(json.loads(index.content).items())), indent=1).encode()
        other = manifests.parse(shuffled)
        one = manifests.filter_index(index, index.children[:1])
        assert one.content == manifests.filter_index(other, other.children[:1]).content
        assert b" " not in one.content
        assert json.loads(one.content)["mediaType"] == manifests.OCI_INDEX

    def test_the_original_is_untouched(self, images: Images) -> None:
        index = parsed(images, images.two_platforms(attested=True))
        before = index.content
        manifests.filter_index(index, index.children[:1])
        assert index.content == before


def test_a_config_s_platform(images: Images) -> None:
    root = parsed(images, images.image("linux/arm/v7"))
    assert root.config is not None
    assert manifests.config_platform(images.content[root.config.digest]) == Platform("linux", "arm", "v7")
    for content in (b"{}", b"[]", b"x", b"[" * 100_000, b'{"architecture":"amd64"}'):
        assert manifests.config_platform(content) is None


def test_accept_names_every_type_that_is_read() -> None:
    assert set(manifests.ACCEPT.split(", ")) == {*manifests.INDEXES, *manifests.MANIFESTS}
    for media_type in (*manifests.INDEXES, *manifests.MANIFESTS, *manifests.DOCKER_SCHEMA1):
        assert manifests.is_manifest_type(media_type)
    assert not manifests.is_manifest_type(manifests.OCI_CONFIG)

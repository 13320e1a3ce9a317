# SPDX-License-Identifier: Apache-2.0
"""distribution-spec, "Pushing Manifests": what is taken in, and what is refused with which code."""

from __future__ import annotations

import json

import pytest

from tests.server.client import (
    EMPTY,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Client,
    code,
    describe,
    digest_of,
    document,
)

ABSENT = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + "0" * 64, "size": 7}
FOREIGN = [
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
]


@pytest.fixture
def config(client: Client) -> dict[str, object]:
    client.blob(b"{}")
    return describe(b"{}", OCI_CONFIG)


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_pushing_answers_with_digest_and_location(client: Client, config: dict[str, object], by: str) -> None:
    content = document(mediaType=OCI_MANIFEST, config=config, layers=[])
    answer = client.put(content, "v1" if by == "tag" else None)
    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == digest_of(content)
    assert client.http.get(answer.headers["Location"]).content == content
    assert "OCI-Subject" not in answer.headers


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_by_digests_of_each_algorithm(client: Client, algorithm: str) -> None:
    client.blob(b"{}", algorithm)
    content = document(mediaType=OCI_MANIFEST, config=describe(b"{}", OCI_CONFIG, algorithm), layers=[])
    digest = digest_of(content, algorithm)
    answer = client.put(content, digest)
    assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (201, digest)
    found = client.http.get(client.path(f"manifests/{digest}"))
    assert (found.content, found.headers["Docker-Content-Digest"]) == (content, digest)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_by_tag_with_the_digest_beside_it(client: Client, config: dict[str, object], algorithm: str) -> None:
    content = document(mediaType=OCI_MANIFEST, config=config, layers=[])
    headers, digest = {"Content-Type": OCI_MANIFEST}, digest_of(content, algorithm)
    path = client.path("manifests/v1")
    for wrong in (digest_of(b"other", algorithm), "sha256:no"):
        answer = client.http.put(path, params={"digest": wrong}, content=content, headers=headers)
        assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    answer = client.http.put(path, params={"digest": digest}, content=content, headers=headers)
    assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (201, digest)
    for reference in ("v1", digest):
        found = client.http.get(client.path(f"manifests/{reference}"))
        assert (found.content, found.headers["Docker-Content-Digest"]) == (content, digest)


def test_a_moved_tag_leaves_the_old_manifest_by_digest(client: Client) -> None:
    old = client.image("v1", "old")
    new = client.image("v1", "new")
    assert client.http.get(client.path("manifests/v1")).content == new
    assert client.http.get(client.path(f"manifests/{digest_of(old)}")).content == old


def test_the_bytes_are_kept(client: Client, config: dict[str, object]) -> None:
    content = b"\n " + document(mediaType=OCI_MANIFEST, config=config, layers=[], unknown="\u00e9").replace(
        b",", b" , "
    )
    assert client.put(content, "v1").status_code == 201
    assert client.http.get(client.path("manifests/v1")).content == content


@pytest.mark.parametrize("reference", ["sha256:" + "0" * 64, "sha512:" + "0" * 128])
def test_a_digest_of_other_bytes(client: Client, config: dict[str, object], reference: str) -> None:
    answer = client.put(document(mediaType=OCI_MANIFEST, config=config, layers=[]), reference)
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert client.http.get(client.path(f"manifests/{reference}")).status_code == 404


@pytest.mark.parametrize("reference", ["sha256:short", "md5:" + "0" * 32])
def test_an_invalid_digest(client: Client, config: dict[str, object], reference: str) -> None:
    answer = client.put(document(mediaType=OCI_MANIFEST, config=config, layers=[]), reference)
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("tag", [".hidden", "-x", "x" * 129, "a%20b"])
def test_an_invalid_tag(client: Client, config: dict[str, object], tag: str) -> None:
    answer = client.put(document(mediaType=OCI_MANIFEST, config=config, layers=[]), tag)
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("tag", ["_x", "x" * 128, "1.0-RC_1", "latest"])
def test_unusual_tags(client: Client, config: dict[str, object], tag: str) -> None:
    assert client.put(document(mediaType=OCI_MANIFEST, config=config, layers=[]), tag).status_code == 201
    assert client.http.get(client.path(f"manifests/{tag}")).status_code == 200


CONFIG = describe(b"{}", OCI_CONFIG)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", OCI_MANIFEST),
        (b"no JSON", OCI_MANIFEST),
        (b"[]", OCI_MANIFEST),
        (b"[" * 100_000, OCI_MANIFEST),
        (b"{}", OCI_MANIFEST),
        (b"{}", OCI_INDEX),
        (b"{}", ""),
        (document(mediaType=OCI_MANIFEST, layers=[]), OCI_MANIFEST),
        (document(mediaType=OCI_MANIFEST, config=CONFIG), OCI_MANIFEST),
        (document(mediaType=OCI_MANIFEST, config=CONFIG, layers={}), OCI_MANIFEST),
        (document(mediaType=OCI_MANIFEST, config=CONFIG, layers=[]), OCI_INDEX),
        (document(mediaType=OCI_INDEX, manifests=[]), OCI_MANIFEST),
        (document(mediaType=OCI_INDEX, manifests=[]), "application/vnd.example+json"),
        (document(mediaType=OCI_MANIFEST, config=CONFIG, layers=[], manifests=[]), OCI_MANIFEST),
        (document(mediaType=OCI_INDEX, manifests=[], layers=[]), OCI_INDEX),
        (document(mediaType=OCI_MANIFEST, config={**CONFIG, "digest": "sha256:no"}, layers=[]), OCI_MANIFEST),
        (document(mediaType=OCI_MANIFEST, config={**CONFIG, "size": -1}, layers=[]), OCI_MANIFEST),
        (document(mediaType=OCI_INDEX, manifests=[], subject={"digest": "x"}), OCI_INDEX),
        (b'{"schemaVersion": 1, "name": "a", "fsLayers": []}', "application/vnd.docker.distribution.manifest.v1+json"),
        (json.dumps({"schemaVersion": 3, "config": CONFIG, "layers": []}).encode(), OCI_MANIFEST),
    ],
)
def test_what_is_no_manifest(client: Client, config: dict[str, object], content: bytes, media_type: str) -> None:
    answer = client.put(content, "v1", media_type)
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID")
    assert client.http.get(client.path("manifests/v1")).status_code == 404


@pytest.mark.parametrize("media_type", ["", "application/json", f"{OCI_MANIFEST}; charset=utf-8"])
def test_a_content_type_that_says_nothing_new(client: Client, config: dict[str, object], media_type: str) -> None:
    assert client.put(document(config=config, layers=[]), "v1", media_type).status_code == 201
    assert client.http.head(client.path("manifests/v1")).headers["Content-Type"] == OCI_MANIFEST


@pytest.mark.parametrize("part", ["config", "layer"])
def test_a_missing_blob(client: Client, config: dict[str, object], part: str) -> None:
    missing = describe(b"never pushed", OCI_LAYER)
    content = document(
        mediaType=OCI_MANIFEST,
        config=missing if part == "config" else config,
        layers=[missing] if part == "layer" else [],
    )
    answer = client.put(content, "v1")
    assert (answer.status_code, code(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert missing["digest"] in answer.text
    client.blob(b"never pushed")
    assert client.put(content, "v1").status_code == 201


def test_a_missing_child(client: Client) -> None:
    content = document(mediaType=OCI_INDEX, manifests=[ABSENT])
    answer = client.put(content, "v1", OCI_INDEX)
    assert (answer.status_code, code(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")


def test_a_child_of_another_repository_is_missing_here(client: Client) -> None:
    child = client.image()
    content = document(mediaType=OCI_INDEX, manifests=[describe(child, OCI_MANIFEST)])
    other = Client(client.http, "some/other")
    assert other.put(content, "v1", OCI_INDEX).status_code == 404
    assert other.put(child).status_code == 201
    assert other.put(content, "v1", OCI_INDEX).status_code == 201


@pytest.mark.parametrize("media_type", FOREIGN)
def test_layers_that_need_not_be_here(client: Client, config: dict[str, object], media_type: str) -> None:
    layer = {**describe(b"elsewhere", media_type), "urls": ["https://elsewhere.example/layer"]}
    content = document(mediaType=OCI_MANIFEST, config=config, layers=[layer])
    assert client.put(content, "v1").status_code == 201
    assert client.http.get(client.path("manifests/v1")).content == content
    assert client.http.get(client.path(f"blobs/{layer['digest']}")).status_code == 404


def test_a_manifest_of_a_type_that_nobody_knows(client: Client) -> None:
    content, media_type = b'{"mediaType": "application/vnd.example+json", "a": 1}', "application/vnd.example+json"
    assert client.put(content, "v1", media_type).status_code == 201
    found = client.http.get(client.path("manifests/v1"))
    assert (found.content, found.headers["Content-Type"]) == (content, media_type)


def test_the_largest_manifest_and_one_byte_more(client: Client, config: dict[str, object]) -> None:
    content = document(mediaType=OCI_MANIFEST, config=config, layers=[])
    content += b" " * (4 * 1024 * 1024 - len(content))
    assert client.put(content, "v1").status_code == 201
    answer = client.put(content + b" ", "v2")
    assert (answer.status_code, code(answer)) == (413, "SIZE_INVALID")
    answer = client.http.put(client.path("manifests/v2"), content=iter([content, b" "]))
    assert answer.status_code == 413


def test_indexes_in_an_index(client: Client) -> None:
    inner = client.index([client.image(text="one")])
    outer = client.index([inner, client.image(text="two")], "v1")
    assert client.http.get(client.path("manifests/v1")).content == outer
    assert client.http.get(client.path(f"manifests/{digest_of(inner)}")).headers["Content-Type"] == OCI_INDEX


def test_an_empty_index(client: Client) -> None:
    assert client.http.get(client.path(f"manifests/{digest_of(client.index([]))}")).status_code == 200


def test_an_index_of_what_is_no_manifest(client: Client) -> None:
    client.blob(b"just bytes")
    content = document(mediaType=OCI_INDEX, manifests=[describe(b"just bytes", "application/vnd.example")])
    assert client.put(content, "v1", OCI_INDEX).status_code == 201


@pytest.mark.parametrize("kind", ["manifest", "index"])
def test_a_subject_is_acknowledged_whether_it_is_here_or_not(client: Client, kind: str) -> None:
    client.blob(b"{}")
    empty = describe(b"{}", EMPTY)
    if kind == "manifest":
        content = document(mediaType=OCI_MANIFEST, artifactType="a/b", config=empty, layers=[empty], subject=ABSENT)
    else:
        content = document(mediaType=OCI_INDEX, artifactType="a/b", manifests=[], subject=ABSENT)
    answer = client.put(content, None, OCI_MANIFEST if kind == "manifest" else OCI_INDEX)
    assert (answer.status_code, answer.headers["OCI-Subject"]) == (201, ABSENT["digest"])

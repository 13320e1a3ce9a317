# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect BUNDLE --sbom IMAGE``: each form in which an image carries an SBOM, several of them, and none."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest

from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST, parse
from airgap.records import replace
from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import IN_TOTO, Images
from tests.parts.terminal import on_terminal

IMAGE = "quay.io/a/x:1"
SPDX = {"spdxVersion": "SPDX-2.3", "packages": [{"name": "größe", "size": 1.50}]}
STATEMENT = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document"}


@pytest.fixture
def images() -> Images:
    return Images(18)


@pytest.fixture
def image(airgap: Airgap, quay: Registry, images: Images) -> Descriptor:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    made = images.two_platforms()
    quay.fill(images, {"a/x:1": made})
    return made


def manifest_of(
    images: Images, layer: Descriptor, annotations: Mapping[str, str], subject: Descriptor | None = None
) -> Descriptor:
    """A manifest with one layer, as programs that attach something write it."""
    config = images.blob(b"{}", OCI_EMPTY)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.to_json()}
    document["layers"] = [replace(layer, annotations=annotations).to_json()]
    if subject is not None:
        document |= {"subject": subject.to_json(), "artifactType": layer.media_type}
    return images.json(document, OCI_MANIFEST)


def envelope(statement: Mapping[str, object]) -> dict[str, object]:
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    return {"payloadType": IN_TOTO, "payload": payload, "signatures": []}


def under_tag(quay: Registry, images: Images, subject: Descriptor, suffix: str, made: Descriptor) -> None:
    quay.fill(images, {f"a/x:sha256-{subject.digest.partition(':')[2]}.{suffix}": made})


def export(airgap: Airgap) -> None:
    airgap.run("export", "--image", IMAGE, "-o", "b.tar")


def printed(airgap: Airgap, name: str = IMAGE) -> bytes:
    return airgap.run("inspect", "b.tar", "--sbom", name).stdout


@pytest.mark.parametrize("media_type", ["text/spdx", "spdx+json", "application/vnd.cyclonedx+json"])
def test_one_under_cosigns_tag_is_printed_byte_for_byte(
    airgap: Airgap, quay: Registry, images: Images, image: Descriptor, media_type: str
) -> None:
    content = b'{"odd" :  1}\r\n\xff'
    under_tag(quay, images, image, "sbom", manifest_of(images, images.blob(content, media_type), {}))
    export(airgap)
    assert printed(airgap) == content
    assert printed(airgap, image.digest) == content


def test_a_referrer_is_printed(airgap: Airgap, quay: Registry, images: Images, image: Descriptor) -> None:
    made = images.artifact("application/spdx+json", subject=image, content=b"{}")
    images.push_to(quay.store, {f"a/x@{made.digest}": made})
    quay.refer("a/x:1")
    export(airgap)
    assert printed(airgap) == b"{}"


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [(SPDX, SPDX), ({"Data": "SPDXVersion: SPDX-2.3"}, b"SPDXVersion: SPDX-2.3"), ("<bom/>", b"<bom/>")],
)
def test_an_attestations_predicate_is_printed(
    airgap: Airgap, quay: Registry, images: Images, image: Descriptor, predicate: object, expected: object
) -> None:
    signed = images.json(envelope({**STATEMENT, "predicate": predicate}), "application/vnd.dsse.envelope.v1+json")
    made = manifest_of(images, signed, {"predicateType": STATEMENT["predicateType"]})
    under_tag(quay, images, image, "att", made)
    export(airgap)
    content = printed(airgap)
    assert (content if isinstance(expected, bytes) else json.loads(content)) == expected


def test_a_bundle_of_sigstore_is_read(airgap: Airgap, quay: Registry, images: Images, image: Descriptor) -> None:
    media_type = "application/vnd.dev.sigstore.bundle.v0.3+json"
    layer = images.json({"dsseEnvelope": envelope({**STATEMENT, "predicate": SPDX})}, media_type)
    annotations = {"dev.sigstore.bundle.predicateType": "https://cyclonedx.org/bom"}
    made = manifest_of(images, layer, annotations, image)
    images.push_to(quay.store, {f"a/x@{made.digest}": made})
    export(airgap)
    assert json.loads(printed(airgap)) == SPDX
    assert airgap.run("inspect", "b.tar", "--sbom", IMAGE, "--json").json == [
        {"digest": layer.digest, "format": "CycloneDX", "subject": image.digest, "platform": None, "size": layer.size}
    ]


def test_of_buildkits_the_one_that_is_named_is_printed(airgap: Airgap, quay: Registry, images: Images) -> None:
    """Each platform has one, so that the image has two."""
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    children = [images.image(f"linux/{name}") for name in ("amd64", "arm64")]
    layers = [images.json({**STATEMENT, "predicate": {"number": number}}, IN_TOTO) for number in range(2)]
    provenance = replace(images.blob(b"{}", IN_TOTO), annotations={"in-toto.io/predicate-type": "https://slsa.dev/x"})
    attestations = []
    for child, layer in zip(children, layers, strict=True):
        config = images.json({"os": "unknown", "architecture": "unknown"}, OCI_CONFIG)
        named = replace(layer, annotations={"in-toto.io/predicate-type": "https://spdx.dev/Document"})
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.to_json()}
        made = images.json({**document, "layers": [named.to_json(), provenance.to_json()]}, OCI_MANIFEST)
        attestations.append(replace(made, annotations=images.attestation(child).annotations))
    quay.fill(images, {"a/x:1": images.index([*children, *attestations])})
    export(airgap)
    said = airgap.fails(2, "inspect", "b.tar", "--sbom", IMAGE).stderr
    assert f"{layers[0].digest}  SPDX of {children[0].digest[:19]} linux/amd64" in said
    assert f"{layers[1].digest}  SPDX of {children[1].digest[:19]} linux/arm64" in said
    assert f"airgap inspect b.tar --sbom {layers[0].digest}" in said
    assert airgap.run("inspect", "b.tar", "--sbom", layers[0].digest).stdout
    assert json.loads(printed(airgap, layers[1].digest)) == {"number": 1}
    assert json.loads(printed(airgap, children[0].digest)) == {"number": 0}


def test_an_image_without_one_and_a_stranger_are_errors(airgap: Airgap, image: Descriptor, images: Images) -> None:
    export(airgap)
    assert "has no SBOM in this bundle" in airgap.fails(22, "inspect", "b.tar", "--sbom", IMAGE).stderr
    child = parse(images.content[image.digest]).children[0].digest
    assert "has no SBOM in this bundle" in airgap.fails(22, "inspect", "b.tar", "--sbom", child).stderr
    for stranger in ("quay.io/a/y:1", "sha256:" + "0" * 64):
        assert "is not in this bundle" in airgap.fails(22, "inspect", "b.tar", "--sbom", stranger).stderr
    assert airgap.run("inspect", "b.tar", "--sbom", IMAGE, "--json").json == []
    airgap.fails(2, "inspect", "b.tar", "--sbom", IMAGE, "--csv", "t.csv")


@pytest.mark.parametrize("content", [b"[]", b'{"payload": "%"}', b'{"payload": "bm90IGpzb24="}', b"{}"])
def test_a_broken_attestation_is_one_error(
    airgap: Airgap, quay: Registry, images: Images, image: Descriptor, content: bytes
) -> None:
    broken = images.blob(content, "application/vnd.dsse.envelope.v1+json")
    under_tag(quay, images, image, "att", manifest_of(images, broken, {"predicateType": "https://spdx.dev/Document"}))
    export(airgap)
    airgap.fails(30, "inspect", "b.tar", "--sbom", IMAGE)


def test_a_terminal_gets_no_commands(airgap: Airgap, quay: Registry, images: Images, image: Descriptor) -> None:
    content = b"SPDXVersion: \x1b]0;title\x07SPDX-2.3\n"
    under_tag(quay, images, image, "sbom", manifest_of(images, images.blob(content, "text/spdx"), {}))
    export(airgap)
    command = airgap.command("inspect", "b.tar", "--sbom", IMAGE)
    code, said = on_terminal(command, 80, 24, environment=airgap.whole_environment(), folder=airgap.folder)
    assert code == 0
    assert "SPDXVersion: " in said
    assert "\x1b]0" not in said
    assert printed(airgap) == content

# SPDX-License-Identifier: Apache-2.0
"""``airgap images --signatures``: what is attached to an image and who signed it, from what registries list."""

from __future__ import annotations

import base64
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_EMPTY, OCI_MANIFEST, parse
from airgap.records import replace
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.images import Images

SIGNED = "quay.io/a/x:1"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def keyless_certificate(identity: str, issuer: bytes, oid: str) -> x509.Certificate:
    """A certificate as Fulcio makes them, signed by itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    day = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), day, day)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), issuer), critical=False)
        .sign(key, SHA256())
    )


class Attacher:
    """Attaches things to ``quay.io/a/x:1``, an index for two platforms."""

    def __init__(self, quay: Registry) -> None:
        self.quay, self.images = quay, Images(18)
        self.index = self.images.two_platforms()
        self.child = parse(self.images.content[self.index.digest]).children[0]
        quay.fill(self.images, {"a/x:1": self.index})

    def manifest(self, layer: Descriptor, subject: Descriptor | None = None) -> Descriptor:
        config = self.images.blob(b"{}", OCI_EMPTY)
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.to_json()}
        document["layers"] = [layer.to_json()]
        if subject is not None:
            document |= {"subject": subject.to_json(), "artifactType": layer.media_type}
        return self.images.json(document, OCI_MANIFEST)

    def tag(self, subject: Descriptor, suffix: str, layer: Descriptor) -> None:
        name = f"a/x:sha256-{subject.digest.partition(':')[2]}.{suffix}"
        self.quay.fill(self.images, {name: self.manifest(layer)})

    def refer(self, subject: Descriptor, layer: Descriptor) -> None:
        made = self.manifest(layer, subject)
        self.images.push_to(self.quay.store, {f"a/x@{made.digest}": made})


@pytest.fixture
def attacher(airgap: Airgap, quay: Registry) -> Attacher:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    airgap.write("pod.yaml", pod(SIGNED))
    return Attacher(quay)


def shown(airgap: Airgap) -> list[str]:
    return airgap.run("images", "pod.yaml", "--signatures").text.splitlines()


def test_without_anything_it_says_so(airgap: Airgap, attacher: Attacher) -> None:
    assert shown(airgap) == [SIGNED, "  nothing: no signature, attestation or SBOM"]


def test_each_kind_is_named(airgap: Airgap, attacher: Attacher) -> None:
    images, index = attacher.images, attacher.index
    attacher.tag(index, "sig", images.blob(b"payload", SIMPLE_SIGNING))
    attacher.tag(attacher.child, "sbom", images.blob(b"{}", "text/spdx"))
    slsa = {"predicateType": "https://slsa.dev/provenance/v1"}
    attacher.tag(index, "att", replace(images.blob(b"e", "application/vnd.dsse.envelope.v1+json"), annotations=slsa))
    attacher.refer(index, images.blob(b"signed", "application/vnd.cncf.notary.signature"))
    attacher.refer(index, images.blob(b"?", "application/vnd.example.scan"))
    assert sorted(shown(airgap)) == sorted(
        [
            SIGNED,
            "  signature (cosign), with a key that it does not name",
            f"  SBOM SPDX, of {attacher.child.digest[:19]}",
            "  attestation https://slsa.dev/provenance/v1",
            "  signature (notation)",
            "  application/vnd.example.scan",
        ]
    )


def test_a_keyless_signature_names_identity_and_issuer(airgap: Airgap, attacher: Attacher) -> None:
    """In an annotation of cosign 2 with Fulcio's old extension, and in a bundle with the new one."""
    old = keyless_certificate("https://git.example/a", b"https://id.example", "1.3.6.1.4.1.57264.1.1")
    annotations = {"dev.sigstore.cosign/certificate": old.public_bytes(Encoding.PEM).decode()}
    attacher.tag(attacher.index, "sig", replace(attacher.images.blob(b"p", SIMPLE_SIGNING), annotations=annotations))
    issuer = b"https://other.example"
    new = keyless_certificate(
        "https://git.example/b", bytes([12, len(issuer)]) + issuer, "1.3.6.1.4.1.57264.1.8"
    ).public_bytes(Encoding.DER)
    material = {"certificate": {"rawBytes": base64.b64encode(new).decode()}}
    attacher.refer(attacher.index, attacher.images.json({"verificationMaterial": material}, BUNDLE))
    assert sorted(shown(airgap)[1:]) == [
        "  signature (cosign), as https://git.example/a (by https://id.example; not verified)",
        "  signature (cosign), as https://git.example/b (by https://other.example; not verified)",
    ]
    (image,) = airgap.run("images", "pod.yaml", "--signatures", "--json").json
    assert (image["image"], image["digest"]) == (SIGNED, attacher.index.digest)
    named = {(entry["identity"], entry["issuer"], entry["verified"]) for entry in image["attached"]}
    assert named == {
        ("https://git.example/a", "https://id.example", False),
        ("https://git.example/b", "https://other.example", False),
    }


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"verificationMaterial": {"certificate": {"rawBytes": "%"}}}'])
def test_a_bundle_that_cannot_be_read_names_nobody(airgap: Airgap, attacher: Attacher, content: bytes) -> None:
    attacher.refer(attacher.index, attacher.images.blob(content, BUNDLE))
    assert shown(airgap)[1:] == ["  signature (cosign), with a key that it does not name"]


def test_a_broken_certificate_is_no_error(airgap: Airgap, attacher: Attacher) -> None:
    annotations = {"dev.sigstore.cosign/certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}
    attacher.tag(attacher.index, "sig", replace(attacher.images.blob(b"p", SIMPLE_SIGNING), annotations=annotations))
    assert shown(airgap)[1:] == ["  signature (cosign), with a certificate that cannot be read here"]


def test_an_image_that_is_missing_fails_after_the_others(airgap: Airgap, attacher: Attacher) -> None:
    airgap.write("pod.yaml", pod(SIGNED, "quay.io/a/missing:1"))
    said = airgap.run("images", "pod.yaml", "--signatures", code=22)
    assert SIGNED in said.text
    assert "quay.io/a/missing:1" in said.stderr


def test_it_goes_with_json_alone(airgap: Airgap, attacher: Attacher) -> None:
    for other in ("--refs", "--sizes", "--why"):
        airgap.fails(2, "images", "pod.yaml", "--signatures", other)

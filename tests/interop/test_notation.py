# SPDX-License-Identifier: Apache-2.0
"""Signatures of notation, made from its specification: they come along, and are found at each target as notation looks
for them, with the referrers API and without it.

Sources: Notary Project "signature-specification.md" (storage) and "signature-envelope-jws.md". notation itself is not
packaged by Debian: oras finds the signatures here, as notation does by the same library.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_EMPTY, OCI_MANIFEST, parse
from tests.cli import fixtures
from tests.cli.command import Airgap, Registry, settings
from tests.doubles.nexus import PUSHER, Repository, Settings, nexus
from tests.parts.clients import Command, oras
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images
from tests.parts.sigstore import Sigstore, new_key

pytestmark = [pytest.mark.interop, pytest.mark.requires("oras")]
airgap = fixtures.airgap

ARTIFACT_TYPE = "application/vnd.cncf.notary.signature"
PAYLOAD_TYPE = "application/vnd.cncf.notary.payload.v1+json"


def b64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_b64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Notation:
    """Signs as ``notation sign`` does, in JWS, and verifies what it finds."""

    def __init__(self) -> None:
        self.key = new_key()
        self.certificate = Sigstore().certificate(self.key.public_key())

    def sign(self, images: Images, subject: Descriptor) -> Descriptor:
        """Return the manifest of a signature of ``subject``."""
        target = {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size}
        payload = b64url(json.dumps({"targetArtifact": target}).encode())
        header = {"alg": "ES256", "cty": PAYLOAD_TYPE, "crit": ["io.cncf.notary.signingScheme"]}
        header |= {"io.cncf.notary.signingScheme": "notary.x509"}
        protected = b64url(json.dumps(header).encode())
        r, s = decode_dss_signature(self.key.sign(f"{protected}.{payload}".encode(), ec.ECDSA(hashes.SHA256())))
        der = self.certificate.public_bytes(Encoding.DER)
        envelope = {
            "payload": payload, "protected": protected,
            "signature": b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big")),
            "header": {"x5c": [base64.b64encode(der).decode()], "io.cncf.notary.signingAgent": "a test"},
        }  # fmt: skip
        layer = images.json(envelope, "application/jose+json")
        thumbprints = json.dumps([hashlib.sha256(der).hexdigest()])
        manifest = {
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": ARTIFACT_TYPE,
            "config": images.blob(b"{}", OCI_EMPTY).to_json(), "layers": [layer.to_json()], "subject": target,
            "annotations": {"io.cncf.notary.x509chain.thumbprint#S256": thumbprints},
        }  # fmt: skip
        return images.json(manifest, OCI_MANIFEST)

    def verify(self, envelope: dict[str, Any], digest: str) -> None:
        """Raise an error unless this is a signature of the image."""
        signature = from_b64url(envelope["signature"])
        numbers = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        signed = f"{envelope['protected']}.{envelope['payload']}".encode()
        self.key.public_key().verify(encode_dss_signature(*numbers), signed, ec.ECDSA(hashes.SHA256()))
        assert json.loads(from_b64url(envelope["payload"]))["targetArtifact"]["digest"] == digest


def test_they_are_found_at_each_target(
    airgap: Airgap, registry: DockerRegistry, tmp_path: Path, services: ExitStack
) -> None:
    """Of an index and an image in it: at a registry with the referrers API, at Debian's docker-registry, at Nexus."""
    notation, images = Notation(), Images(18)
    source = services.enter_context(Registry())
    index = images.two_platforms(size=1000)
    source.fill(images, {"a/x:1": index})
    subjects = [index, parse(images.content[index.digest]).children[1]]
    for subject in subjects:
        made = notation.sign(images, subject)
        images.push_to(source.store, {f"a/x@{made.digest}": made})
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
    airgap.run("export", "--image", "quay.io/a/x:1", "-o", "b.tar")
    shown = airgap.run("images", "--signatures", airgap.write("refs.txt", "quay.io/a/x:1\n")).text
    assert shown.count("signature (notation)") == 2
    made = services.enter_context(nexus(Settings(repositories=(Repository("hosted", connector="http"),))))
    credentials = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
    signed_in = ("--username", PUSHER.name, "--password", PUSHER.password)
    target = services.enter_context(Registry())
    tool = oras(tmp_path / "oras")
    for number, (address, environment, options) in enumerate(
        [
            (target.address, {}, ()),
            (registry.address, {}, ()),
            (made.connector("hosted").address, credentials, signed_in),
        ]
    ):
        to = ("--to", f"http://{address}/p", "--output", f"out-{number}")
        airgap.run("import", "b.tar", *to, environment=environment)
        for subject in subjects:
            notation.verify(found(tool, f"{address}/p/x", subject, *options), subject.digest)
    fallback = f"/v2/p/x/manifests/sha256-{index.digest.partition(':')[2]}"
    assert any(fallback in line for line in registry.requests())


def found(tool: Command, repository: str, subject: Descriptor, *options: str) -> dict[str, Any]:
    """Return the only signature of an image that a look-up by notation's artifact type leads to."""
    common = ("--plain-http", *options)
    listed = tool.json(
        "discover", *common, "--artifact-type", ARTIFACT_TYPE, "--format", "json", f"{repository}@{subject.digest}"
    )
    (entry,) = listed.get("referrers") or listed["manifests"]
    manifest = tool.json("manifest", "fetch", *common, f"{repository}@{entry['digest']}")
    assert manifest["subject"]["digest"] == subject.digest
    assert "io.cncf.notary.x509chain.thumbprint#S256" in manifest["annotations"]
    blob = f"{repository}@{manifest['layers'][0]['digest']}"
    envelope: dict[str, Any] = tool.json("blob", "fetch", *common, "--output", "-", blob)
    return envelope

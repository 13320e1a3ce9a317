# SPDX-License-Identifier: Apache-2.0
"""What is attached to an image, told from its manifest alone: signatures, attestations and SBOMs.

Sources: cosign's "Signature Storage" and its annotations, Sigstore's bundle format, notation's signature
specification, BuildKit's attestation storage.
"""

from __future__ import annotations

from collections.abc import Iterator

from airgap.oci.descriptor import Descriptor
from airgap.oci.manifest import Manifest
from airgap.oci.sboms import is_attestation, predicate_type, sbom_format
from airgap.records import Record

_SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning"
_BUNDLE = "application/vnd.dev.sigstore.bundle"
_NOTATION = "application/vnd.cncf.notary.signature"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
#: The predicate of a plain signature of cosign 3.
_SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/"


class Attached(Record):
    """One thing that is attached. ``kind`` is ``signature``, ``attestation``, ``sbom`` or ``other``.

    ``type`` says more: the program of a signature, the predicate type, the format of an SBOM, the artifact type.
    ``certificate`` is PEM, empty if the manifest has none. ``bundle`` is a bundle of Sigstore, which may have one.
    """

    kind: str
    type: str
    certificate: bytes = b""
    bundle: Descriptor | None = None


def attached(manifest: Manifest) -> Iterator[Attached]:
    """Return what a referrer, or an image under one of cosign's tags, attaches: at most one thing for each layer."""
    if manifest.artifact_type == _NOTATION:
        yield Attached("signature", "notation")
        return
    for layer in manifest.layers:
        certificate = layer.annotations.get(_CERTIFICATE, "").encode()
        bundle = layer if layer.media_type.startswith(_BUNDLE) else None
        predicate = predicate_type(manifest, layer)
        if layer.media_type.startswith(_SIMPLE_SIGNING):
            yield Attached("signature", "cosign", certificate)
        elif bundle is not None and (not predicate or predicate.startswith(_SIGN_PREDICATE)):
            yield Attached("signature", "cosign", certificate, bundle)
        elif sbom := sbom_format(manifest, layer):
            yield Attached("sbom", sbom, certificate, bundle)
        elif is_attestation(layer):
            yield Attached("attestation", predicate or layer.media_type, certificate, bundle)
        else:
            yield Attached("other", manifest.artifact_type or layer.media_type)

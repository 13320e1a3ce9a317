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
    ``certificate`` is PEM, empty if the manifest has none. ``layer`` holds it, except for notation's signatures.
    """

    kind: str
    type: str
    certificate: bytes = b""
    layer: Descriptor | None = None

    @property
    def bundle(self) -> Descriptor | None:
        """The bundle of Sigstore that it is in, which may have a certificate too."""
        return self.layer if self.layer is not None and self.layer.media_type.startswith(_BUNDLE) else None


def attached(manifest: Manifest) -> Iterator[Attached]:
    """Return what a referrer, or an image under one of cosign's tags, attaches: at most one thing for each layer."""
    if manifest.artifact_type == _NOTATION:
        yield Attached("signature", "notation")
        return
    for layer in manifest.layers:
        certificate = layer.annotations.get(_CERTIFICATE, "").encode()
        is_bundle = layer.media_type.startswith(_BUNDLE)
        predicate = predicate_type(manifest, layer)
        if layer.media_type.startswith(_SIMPLE_SIGNING) or (
            is_bundle and (not predicate or predicate.startswith(_SIGN_PREDICATE))
        ):
            yield Attached("signature", "cosign", certificate, layer)
        elif sbom := sbom_format(manifest, layer):
            yield Attached("sbom", sbom, certificate, layer)
        elif is_attestation(layer):
            yield Attached("attestation", predicate or layer.media_type, certificate, layer)
        else:
            yield Attached("other", manifest.artifact_type or layer.media_type, layer=layer)

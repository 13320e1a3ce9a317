# SPDX-License-Identifier: Apache-2.0
"""Whom the certificate of an image's signature names. Nothing is verified here."""

from __future__ import annotations

import base64

from airgap import bounded_json, limits
from airgap.errors import ContentError
from airgap.oci import Descriptor
from airgap.oci.attached import Attached
from airgap.store.protocols import Source
from airgap.store.readers import fetch
from airgap.trust.keyless import Signer, read_signer

_BUNDLE_VALUES = 10_000


def signer_of(source: Source, what: Attached) -> Signer | None:
    """Return whom the certificate names, in the manifest or in a bundle of Sigstore; ``None`` if there is none."""
    certificate = what.certificate or (_bundled_certificate(source, what.bundle) if what.bundle else b"")
    return read_signer(certificate) if certificate else None


def _bundled_certificate(source: Source, bundle: Descriptor) -> bytes:
    """Return the certificate (DER) in a bundle of Sigstore; empty if it is signed with a key, or cannot be read."""
    try:
        content = fetch(source, bundle, limit=limits.value("manifest-bytes"))
        material = bounded_json.loads(content, values=_BUNDLE_VALUES)["verificationMaterial"]
        chain = material.get("x509CertificateChain", {}).get("certificates", ({},))
        certificate = material.get("certificate") or chain[0]
        return base64.b64decode(certificate.get("rawBytes", ""), validate=True)
    except (ContentError, KeyError, IndexError, TypeError, AttributeError, ValueError):
        return b""

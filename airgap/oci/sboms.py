# SPDX-License-Identifier: Apache-2.0
"""The SBOMs of an image: which blobs hold one, and how it is read from them.

An SBOM is a blob itself (``cosign attach sbom``, ``oras attach``), or the predicate of an in-toto statement: of one as
BuildKit writes it into an index, in a DSSE envelope (``cosign attest``), or in a bundle of Sigstore around that.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.oci.descriptor import Descriptor
from airgap.oci.manifest import Manifest

#: The most JSON values of an attestation that is read.
MAX_VALUES = 2_000_000
#: How deep its values may be inside each other: CycloneDX nests components in components.
_DEPTH = 64
#: The names by which media types, artifact types and predicate types tell a format.
_FORMATS = {"spdx": "SPDX", "cyclonedx": "CycloneDX", "syft": "Syft"}
#: Where an attestation says of a layer what its predicate is: BuildKit, cosign, Sigstore's bundles.
_PREDICATE_KEYS = ("in-toto.io/predicate-type", "predicateType", "dev.sigstore.bundle.predicateType")
_ATTESTATION_TYPES = (
    "application/vnd.in-toto",
    "application/vnd.dsse.envelope",
    "application/vnd.dev.sigstore.bundle",
)


def is_attestation(layer: Descriptor) -> bool:
    """Whether a layer is an in-toto statement, in an envelope or not."""
    return layer.media_type.startswith(_ATTESTATION_TYPES)


def sbom_format(manifest: Manifest, layer: Descriptor) -> str:
    """Return the format of the SBOM in a layer: ``SPDX``, ``CycloneDX`` or ``Syft``; empty if it has none."""
    if not is_attestation(layer):
        return _format_of(layer.media_type) or _format_of(manifest.artifact_type)
    annotations = {**(manifest.annotations or {}), **layer.annotations}
    return next((_format_of(annotations[key]) for key in _PREDICATE_KEYS if key in annotations), "")


def read_sbom(layer: Descriptor, content: bytes, *, where: str) -> bytes:
    """Return the SBOM in the content of a layer: the content itself, or the predicate of the attestation that it is.

    A predicate is written as JSON with an indent of two. Raises :class:`ContentError`.
    """
    if not is_attestation(layer):
        return content
    try:
        document = bounded_json.loads(content, values=MAX_VALUES, depth=_DEPTH, where=where)
        envelope = document.get("dsseEnvelope", document)
        if "payload" in envelope:
            payload = base64.b64decode(envelope["payload"], validate=True)
            document = bounded_json.loads(payload, values=MAX_VALUES, depth=_DEPTH, where=where)
        return _predicate_text(document["predicate"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ContentError(tr("this attestation has no predicate that can be read"), where=where) from error


def _predicate_text(predicate: Any) -> bytes:
    # cosign wraps an SBOM that is no JSON, such as SPDX's tag-value form.
    if isinstance(predicate, dict) and set(predicate) in ({"Data"}, {"Data", "Timestamp"}):
        predicate = predicate["Data"]
    if isinstance(predicate, str):
        return predicate.encode()
    return json.dumps(predicate, ensure_ascii=False, indent=2).encode() + b"\n"


def _format_of(name: str) -> str:
    lowered = name.lower()
    return next((shown for word, shown in _FORMATS.items() if word in lowered), "")

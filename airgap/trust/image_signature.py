# SPDX-License-Identifier: Apache-2.0
"""Signatures of images as cosign makes them, taken apart but not verified.

There are two forms: a payload of "simple signing" with the signature in annotations (cosign's specifications,
"Signature Storage" and "Payload"), and a bundle of Sigstore, version 0.1 to 0.3, with an in-toto statement in a DSSE
envelope (cosign 3) or with the signature of the manifest itself.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, SignatureFailure
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust.transparency import InclusionProof, LogEntry

#: The most JSON values of a payload or bundle that is read.
_MAX_VALUES = 10_000
_MAX_CERTIFICATES = 16
_PAYLOAD_TYPES = ("cosign container image signature", "atomic container signature")
_STATEMENT = "application/vnd.in-toto+json"
#: The predicate of a plain signature, as opposed to an attestation.
_SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_ANNOTATIONS = "dev.sigstore.cosign/"


class ImageSignature(Record):
    """A signature: ``message`` is what was signed, ``content`` the part of it that a transparency log has the digest
    of. ``digests`` are the images that it names. ``certificates`` are DER, the signer's first; none for a bare key.
    ``timestamps`` are responses of RFC 3161 in DER.
    """

    where: str
    message: bytes
    content: bytes
    signature: bytes
    digests: tuple[str, ...]
    certificates: tuple[bytes, ...] = ()
    entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()


def read_simple_signing(payload: bytes, annotations: Mapping[str, str], *, where: str) -> ImageSignature:
    """Read a payload and the annotations of its layer. Raises :class:`SignatureFailure` for what is none."""
    try:
        critical = bounded_json.loads(payload, values=_MAX_VALUES)["critical"]
        if critical["type"] not in _PAYLOAD_TYPES:
            raise ValueError(critical["type"])
        pem = annotations.get(f"{_ANNOTATIONS}certificate", ""), annotations.get(f"{_ANNOTATIONS}chain", "")
        return ImageSignature(
            where,
            payload,
            payload,
            _decoded(annotations["dev.cosignproject.cosign/signature"]),
            (str(critical["image"]["docker-manifest-digest"]),),
            _certificates("\n".join(pem)),
            tuple(map(_rekor_bundle, _optional(annotations, "bundle"))),
            tuple(_decoded(stamp["SignedRFC3161Timestamp"]) for stamp in _optional(annotations, "rfc3161timestamp")),
        )
    except (ContentError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise _unreadable(error, where) from error


def read_bundle(content: bytes, manifest: bytes, *, where: str) -> ImageSignature:
    """Read a bundle of Sigstore that refers to ``manifest``. Raises :class:`SignatureFailure` for what is none."""
    try:
        document = bounded_json.loads(content, values=_MAX_VALUES)
        material = document["verificationMaterial"]
        chain = material.get("x509CertificateChain", {}).get("certificates", [])
        chain = [material["certificate"]] if "certificate" in material else chain
        stamps = (material.get("timestampVerificationData") or {}).get("rfc3161Timestamps") or []
        evidence = (
            tuple(_decoded(certificate["rawBytes"]) for certificate in chain[:_MAX_CERTIFICATES]),
            tuple(map(_log_entry, material.get("tlogEntries") or [])),
            tuple(_decoded(stamp["signedTimestamp"]) for stamp in stamps),
        )
        if "messageSignature" in document:
            message = document["messageSignature"]
            digest = f"sha256:{_decoded(message['messageDigest']['digest']).hex()}"
            return ImageSignature(where, manifest, manifest, _decoded(message["signature"]), (digest,), *evidence)
        envelope = document["dsseEnvelope"]
        payload = _decoded(envelope["payload"])
        message = _pre_authentication_encoding(envelope["payloadType"], payload)
        (signature,) = envelope["signatures"]
        return ImageSignature(
            where, message, payload, _decoded(signature["sig"]), _statement_subjects(envelope, payload), *evidence
        )
    except (ContentError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise _unreadable(error, where) from error


def _statement_subjects(envelope: Mapping[str, Any], payload: bytes) -> tuple[str, ...]:
    """Return the digests that a statement names, if it is a signature. Raises :class:`ValueError` for another one."""
    if envelope["payloadType"] != _STATEMENT:
        raise ValueError(envelope["payloadType"])
    statement = bounded_json.loads(payload, values=_MAX_VALUES)
    if statement["predicateType"] != _SIGN_PREDICATE:
        raise ValueError(statement["predicateType"])
    return tuple(f"sha256:{subject['digest']['sha256']}" for subject in statement["subject"])


def _pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return what a signature of a DSSE envelope is made of (DSSE protocol, "Signature Definition")."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _optional(annotations: Mapping[str, str], name: str) -> list[Any]:
    """Return the JSON in one of cosign's annotations as the only item of a list; an empty list without it."""
    text = annotations.get(f"{_ANNOTATIONS}{name}", "")
    return [bounded_json.loads(text.encode(), values=_MAX_VALUES)] if text else []


def _rekor_bundle(document: Mapping[str, Any]) -> LogEntry:
    payload = document["Payload"]
    return LogEntry(
        bytes.fromhex(payload["logID"]),
        _decoded(payload["body"]),
        int(payload["integratedTime"]),
        int(payload["logIndex"]),
        _decoded(document["SignedEntryTimestamp"]),
    )


def _log_entry(entry: Mapping[str, Any]) -> LogEntry:
    proof = entry.get("inclusionProof")
    return LogEntry(
        _decoded(entry["logId"]["keyId"]),
        _decoded(entry["canonicalizedBody"]),
        int(entry.get("integratedTime") or 0),
        int(entry.get("logIndex") or 0),
        _decoded((entry.get("inclusionPromise") or {}).get("signedEntryTimestamp", "")),
        InclusionProof(
            int(proof.get("logIndex") or 0),
            int(proof["treeSize"]),
            tuple(map(_decoded, proof.get("hashes") or [])),
            str(proof["checkpoint"]["envelope"]),
        )
        if proof
        else None,
    )


def _certificates(pem: str) -> tuple[bytes, ...]:
    """Return the certificates of a text in PEM as DER."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    parts = [part.partition(end)[0] for part in pem.split(begin)[1 : _MAX_CERTIFICATES + 1]]
    return tuple(base64.b64decode("".join(part.split()), validate=True) for part in parts)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _unreadable(error: Exception, where: str) -> SignatureFailure:
    known = (ContentError, KeyError, ValueError)
    return SignatureFailure(
        tr(
            "it is no signature of an image that can be read ({error})", error=error if isinstance(error, known) else ""
        ),
        where=where,
    )

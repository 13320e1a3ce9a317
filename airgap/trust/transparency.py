# SPDX-License-Identifier: Apache-2.0
"""Entries of Rekor, the transparency log of Sigstore: whether the log has one, since when, and what it is of.

An entry is proven by the log's promise (the signed entry timestamp, which includes the time), or by a proof of
inclusion in a tree whose root the log has signed (RFC 9162, 2.1.3; the checkpoint's format is the signed note of
``golang.org/x/mod/sumdb/note``). Sources: Rekor's ``types`` and Sigstore's bundle format.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, SignatureFailure
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust.verification_key import VerificationKey

_MAX_VALUES = 1000
#: Where the body of an entry has, by its kind and version: the digest of what was signed, the signature, the verifier.
_BODY_PATHS: dict[tuple[str, str], tuple[tuple[str | int, ...], ...]] = {
    ("hashedrekord", "0.0.1"): (
        ("data", "hash", "value"),
        ("signature", "content"),
        ("signature", "publicKey", "content"),
    ),
    ("hashedrekord", "0.0.2"): (
        ("hashedRekordV002", "data", "digest"),
        ("hashedRekordV002", "signature", "content"),
        ("hashedRekordV002", "signature", "verifier", "x509Certificate", "rawBytes"),
    ),
    ("dsse", "0.0.1"): (("payloadHash", "value"), ("signatures", 0, "signature"), ("signatures", 0, "verifier")),
    ("dsse", "0.0.2"): (
        ("dsseV002", "payloadHash", "digest"),
        ("dsseV002", "signatures", 0, "content"),
        ("dsseV002", "signatures", 0, "verifier", "x509Certificate", "rawBytes"),
    ),
}


class InclusionProof(Record):
    """That the leaf ``index`` is in the tree of ``size`` leaves. ``checkpoint`` is the signed note about its root."""

    index: int
    size: int
    hashes: tuple[bytes, ...]
    checkpoint: str


class LogEntry(Record):
    """An entry: ``body`` is JSON, ``time`` seconds since 1970, ``promise`` the signed entry timestamp, if any."""

    log_id: bytes
    body: bytes
    time: int
    index: int
    promise: bytes = b""
    proof: InclusionProof | None = None


def check_entry(entry: LogEntry, key: VerificationKey, *, where: str) -> int | None:
    """Return the time at which the log took the entry; ``None`` if it vouches for no time.

    Raises :class:`SignatureFailure` unless the log's ``key`` vouches for the entry.
    """
    if entry.promise:
        promised = {
            "body": base64.b64encode(entry.body).decode(),
            "integratedTime": entry.time,
            "logID": entry.log_id.hex(),
            "logIndex": entry.index,
        }
        # RFC 8785: sorted keys and no blanks, with nothing in it that would have to be escaped.
        canonical = json.dumps(promised, sort_keys=True, separators=(",", ":")).encode()
        if not key.verifies(entry.promise, canonical):
            raise SignatureFailure(tr("the transparency log has not signed its entry"), where=where)
    if entry.proof is not None:
        _check_proof(entry.body, entry.proof, key, where)
    if not entry.promise and entry.proof is None:
        raise SignatureFailure(tr("nothing proves that the transparency log has its entry"), where=where)
    return entry.time if entry.promise else None


def check_body(body: bytes, content: bytes, signature: bytes, certificate_pem: bytes, certificate_der: bytes) -> bool:
    """Whether an entry's ``body`` is about this signature of ``content`` by this certificate."""
    try:
        document = bounded_json.loads(body, values=_MAX_VALUES)
        paths = _BODY_PATHS[document["kind"], document["apiVersion"]]
        digest, signed, verifier = (_value(document["spec"], path) for path in paths)
        expected = hashlib.sha256(content)
        is_content = digest == expected.hexdigest() or digest == base64.b64encode(expected.digest()).decode()
        named = base64.b64decode(verifier, validate=True)
        return (
            is_content
            and base64.b64decode(signed, validate=True) == signature
            and (named.split() == certificate_pem.split() or named == certificate_der)
        )
    except (ContentError, KeyError, IndexError, TypeError, ValueError):
        return False


def _value(document: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _check_proof(body: bytes, proof: InclusionProof, key: VerificationKey, where: str) -> None:
    text, _, signatures = proof.checkpoint.partition("\n\n")
    lines = text.split("\n")
    signed = [_note_signature(line) for line in signatures.split("\n") if line.startswith("— ")]
    if not any(key.verifies(signature, f"{text}\n".encode()) for signature in signed if signature):
        raise SignatureFailure(tr("the transparency log has not signed its checkpoint"), where=where)
    root = _root(body, proof)
    if len(lines) < 3 or root is None or lines[1:3] != [str(proof.size), base64.b64encode(root).decode()]:
        raise SignatureFailure(tr("its entry is not in the transparency log"), where=where)


def _note_signature(line: str) -> bytes:
    """Return the signature in a line of a note, without the four bytes that hint at its key."""
    try:
        return base64.b64decode(line.rpartition(" ")[2], validate=True)[4:]
    except ValueError:
        return b""


def _root(body: bytes, proof: InclusionProof) -> bytes | None:
    """Return the root that the proof leads to (RFC 9162, 2.1.3.2); ``None`` if it is malformed."""
    number, last = proof.index, proof.size - 1
    if not 0 <= number <= last:
        return None
    value = hashlib.sha256(b"\x00" + body).digest()
    for neighbour in proof.hashes:
        if last == 0:
            return None
        if number & 1 or number == last:
            value = hashlib.sha256(b"\x01" + neighbour + value).digest()
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\x01" + value + neighbour).digest()
        number, last = number >> 1, last >> 1
    return value if last == 0 else None

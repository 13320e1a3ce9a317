# SPDX-License-Identifier: Apache-2.0
"""Whom keyless signatures are verified against: authorities for certificates and time, and logs with their keys.

Two files are read: Sigstore's ``trusted_root.json`` (protobuf-specs, ``sigstore_trustroot.proto``), and certificates in
PEM, of an office that runs an authority of its own.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, UsageError
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust.verification_key import VerificationKey

#: The largest file that is read, in bytes.
MAX_FILE = 4 * 1024 * 1024
_MAX_VALUES = 20_000
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_FOREVER = 1 << 62


class Period(Record):
    """Seconds since 1970, the ends included."""

    start: int = 0
    end: int = _FOREVER

    def has(self, time: int) -> bool:
        """Whether ``time`` is in it."""
        return self.start <= time <= self.end


class Authority(Record):
    """An authority for certificates or time: ``anchor`` is trusted, ``others`` are on the way to it, all DER."""

    anchor: bytes
    others: tuple[bytes, ...] = ()
    period: Period = Period()


class Log(Record):
    """A transparency log, or one of certificates, by the digest of its key."""

    id: bytes
    key: VerificationKey
    period: Period


class TrustedRoot(Record):
    """What a file of trusted parties has. Without ``logs`` and ``time_authorities`` a certificate must be valid now."""

    authorities: tuple[Authority, ...]
    logs: tuple[Log, ...] = ()
    certificate_logs: tuple[Log, ...] = ()
    time_authorities: tuple[Authority, ...] = ()

    @property
    def proves_time(self) -> bool:
        """Whether it tells of a signature when it was made."""
        return bool(self.logs or self.time_authorities)


def read_trusted_root(content: bytes, *, where: str) -> TrustedRoot:
    """Read a trusted root, JSON or PEM. Raises :class:`UsageError`."""
    if content.lstrip().startswith(b"{"):
        try:
            return _from_json(bounded_json.loads(content, values=_MAX_VALUES), where)
        except (ContentError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise _unusable(where) from error
    try:
        anchors = [_der(match[0]) for match in _CERTIFICATE.finditer(content)]
    except ValueError as error:
        raise _unusable(where) from error
    if not anchors:
        raise _unusable(where)
    return TrustedRoot(tuple(map(Authority, anchors)))


def log_of(logs: Sequence[Log], log_id: bytes, time: int | None) -> Log | None:
    """Return the log with this ID, which was in use at ``time``, if that is known."""
    matching = (log for log in logs if log.id == log_id and (time is None or log.period.has(time)))
    return next(matching, None)


def _from_json(document: Mapping[str, Any], where: str) -> TrustedRoot:
    authorities = tuple(map(_authority, document["certificateAuthorities"]))
    if not authorities:
        raise ValueError
    return TrustedRoot(
        authorities,
        tuple(_logs(document.get("tlogs"), where)),
        tuple(_logs(document.get("ctlogs"), where)),
        tuple(map(_authority, document.get("timestampAuthorities") or ())),
    )


def _authority(entry: Mapping[str, Any]) -> Authority:
    # The chain ends with the root.
    *others, anchor = (_decoded(certificate["rawBytes"]) for certificate in entry["certChain"]["certificates"])
    return Authority(anchor, tuple(others), _period(entry.get("validFor")))


def _logs(entries: Iterable[Mapping[str, Any]] | None, where: str) -> Iterable[Log]:
    for entry in entries or ():
        key = _decoded(entry["publicKey"]["rawBytes"])
        log_id = _decoded((entry.get("logId") or {}).get("keyId", "")) or hashlib.sha256(key).digest()
        yield Log(log_id, VerificationKey.from_der(key, where=where), _period(entry["publicKey"].get("validFor")))


def _period(entry: Mapping[str, str] | None) -> Period:
    entry = entry or {}
    start, end = entry.get("start"), entry.get("end")
    return Period(_seconds(start) if start else 0, _seconds(end) if end else _FOREVER)


def _seconds(text: str) -> int:
    # Python 3.10 reads neither a Z nor more than six digits of a second.
    moment = datetime.fromisoformat(re.sub(r"(\.\d+)?Z$", "+00:00", text))
    if moment.tzinfo is None:
        raise ValueError(text)
    return int(moment.timestamp())


def _der(pem: bytes) -> bytes:
    return _decoded(b"".join(pem.split(b"-----")[2].split()).decode())


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _unusable(where: str) -> UsageError:
    return UsageError(
        tr("this is no trusted root: neither Sigstore's trusted_root.json nor certificates in PEM"),
        where=where,
        hint=tr("cosign trusted-root create writes one; for an authority of your own, give its certificates"),
    )

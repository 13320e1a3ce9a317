# SPDX-License-Identifier: Apache-2.0
"""Keyless signatures: whom a certificate names, by whose word (Fulcio's certificate specification), and whether it was
valid when it was used, as far as a trusted root can tell without the network."""

from __future__ import annotations

import time
from calendar import timegm
from typing import Any

from airgap.errors import SignatureFailure
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust.certificate_chain import chain_problem, timestamp_time
from airgap.trust.image_signature import ImageSignature
from airgap.trust.transparency import check_body, check_entry
from airgap.trust.trusted_root import TrustedRoot, log_of
from airgap.trust.verification_key import VerificationKey, load_serialization

#: The issuer: as bare bytes in the older extension, as a UTF8String in the newer one.
_ISSUER, _ISSUER_UTF8 = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
_MAX_CERTIFICATE = 64 * 1024


class Signer(Record):
    """Whom a certificate names. ``issuer`` is empty for a certificate that Fulcio has not made."""

    identities: tuple[str, ...]
    issuer: str

    @property
    def identity(self) -> str:
        """The identities for messages."""
        return ", ".join(self.identities)


def read_signer(certificate: bytes) -> Signer | None:
    """Return the signer in a certificate, DER or PEM; ``None`` if it cannot be read, or ``cryptography`` is missing."""
    try:
        return _signer(_load(certificate))
    except (ImportError, ValueError):
        return None


def check_certificate(signature: ImageSignature, root: TrustedRoot, now: int | None = None) -> Signer:
    """Verify a signature by its certificate, and return whom that names. ``now`` is in seconds since 1970.

    The certificate must lead to an authority of the root, be for signing, and have been valid at the time of the
    signature: that of the log's entry or of a timestamp, and now if the root knows neither logs nor time authorities.
    Raises :class:`SignatureFailure`.
    """
    load_serialization()
    where = signature.where
    if not signature.certificates:
        raise SignatureFailure(tr("it is signed with a key, and not with a certificate"), where=where)
    try:
        certificate = _load(signature.certificates[0])
        signer, key = _signer(certificate), VerificationKey.from_certificate(certificate)
    except ValueError as error:
        raise SignatureFailure(tr("its certificate cannot be read ({error})", error=error), where=where) from error
    if not key.verifies(signature.signature, signature.message):
        raise SignatureFailure(tr("its signature is not by its certificate, or it was changed"), where=where)
    moments = _times(signature, root, certificate) if root.proves_time else [int(time.time()) if now is None else now]
    for moment in moments:
        _check_chain(signature, root, moment, signer, proven=root.proves_time)
    _check_purpose(certificate, signer, where)
    if root.certificate_logs:
        _check_certificate_log(certificate, signature, root)
    return signer


def _load(certificate: bytes) -> Any:
    from cryptography import x509

    if len(certificate) > _MAX_CERTIFICATE:
        raise ValueError(len(certificate))
    load = x509.load_pem_x509_certificate if certificate.startswith(b"-----") else x509.load_der_x509_certificate
    return load(certificate)


def _signer(certificate: Any) -> Signer:
    from cryptography import x509

    names: list[str] = []
    issuers = {}
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names += extension.value.get_values_for_type(x509.RFC822Name)
            names += extension.value.get_values_for_type(x509.UniformResourceIdentifier)
            names += extension.value.get_values_for_type(x509.DNSName)
        elif isinstance(extension.value, x509.UnrecognizedExtension):
            issuers[extension.oid.dotted_string] = extension.value.value
    issuer = issuers.get(_ISSUER) or _der_text(issuers.get(_ISSUER_UTF8, b""))
    return Signer(tuple(names) or (certificate.subject.rfc4514_string(),), issuer.decode("utf-8", "replace"))


def _der_text(value: bytes) -> bytes:
    """Return the text of a short or long UTF8String in DER."""
    if len(value) < 2 or value[0] != 0x0C:
        return b""
    return value[2 + (value[1] & 0x7F if value[1] & 0x80 else 0) :]


def _times(signature: ImageSignature, root: TrustedRoot, certificate: Any) -> list[int]:
    """Return when the signature was made, by each log and time authority that vouches for it."""
    from cryptography.hazmat.primitives.serialization import Encoding

    where, moments, logged = signature.where, [], False
    pem, der = certificate.public_bytes(Encoding.PEM), certificate.public_bytes(Encoding.DER)
    for entry in signature.entries:
        log = log_of(root.logs, entry.log_id, entry.time if entry.promise else None)
        if log is None:
            continue
        moment = check_entry(entry, log.key, where=where)
        if not check_body(entry.body, signature.content, signature.signature, pem, der):
            raise SignatureFailure(tr("the entry in the transparency log is of another signature"), where=where)
        logged = True
        moments += [] if moment is None else [moment]
    if root.logs and not logged:
        raise SignatureFailure(tr("it is in no transparency log of the trusted root"), where=where)
    for response in signature.timestamps:
        found = (timestamp_time(response, signature.signature, authority) for authority in root.time_authorities)
        moments += [moment for moment in found if moment is not None]
    if not moments:
        raise SignatureFailure(tr("nothing that the trusted root knows proves when it was made"), where=where)
    return moments


def _check_chain(signature: ImageSignature, root: TrustedRoot, moment: int, signer: Signer, *, proven: bool) -> None:
    leaf, *others = signature.certificates
    problems = [
        chain_problem(leaf, others, authority, moment) if authority.period.has(moment) else tr("out of its period")
        for authority in root.authorities
    ]
    if "" in problems:
        return
    who, where = signer.identity, signature.where
    if any("certificate has expired" in problem for problem in problems):
        if proven:
            what = tr("the certificate of {who} had expired when the signature was made", who=who)
            raise SignatureFailure(what, where=where)
        raise SignatureFailure(
            tr("the certificate of {who} has expired", who=who),
            where=where,
            hint=tr("a trusted_root.json with the key of a transparency log proves that it was valid when it was used"),
        )
    if any("not yet valid" in problem for problem in problems):
        raise SignatureFailure(tr("the certificate of {who} was not valid yet", who=who), where=where)
    raise SignatureFailure(
        tr("the certificate of {who} is not by an authority of the trusted root ({said})", who=who, said=problems[0]),
        where=where,
    )


def _check_purpose(certificate: Any, signer: Signer, where: str) -> None:
    """Raise :class:`SignatureFailure` for a certificate that is for something else than signing code."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    found = {type(extension.value): extension.value for extension in certificate.extensions}
    purposes, usage = found.get(x509.ExtendedKeyUsage), found.get(x509.KeyUsage)
    for_code = purposes is not None and ExtendedKeyUsageOID.CODE_SIGNING in purposes
    if not for_code or (usage is not None and not usage.digital_signature):
        raise SignatureFailure(
            tr("the certificate of {who} is not for signing code (codeSigning)", who=signer.identity), where=where
        )


def _check_certificate_log(certificate: Any, signature: ImageSignature, root: TrustedRoot) -> None:
    """Raise :class:`SignatureFailure` unless one of the root's logs has signed that it has the certificate.

    RFC 6962, 3.2 and 3.4: a log signs the certificate without its list of such signatures, after the issuer's key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    stamps = [
        stamp
        for extension in certificate.extensions
        if isinstance(extension.value, x509.PrecertificateSignedCertificateTimestamps)
        for stamp in extension.value
    ]
    chain = [authority for known in root.authorities for authority in (*known.others, known.anchor)]
    issuers = [_load(der) for der in (*chain, *signature.certificates[1:])]
    for stamp in stamps:
        seconds = timegm(stamp.timestamp.timetuple())
        milliseconds = seconds * 1000 + stamp.timestamp.microsecond // 1000
        log = log_of(root.certificate_logs, stamp.log_id, seconds)
        for issuer in issuers if log is not None else ():
            digest = hashes.Hash(hashes.SHA256())
            digest.update(issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
            body = certificate.tbs_precertificate_bytes
            signed = (
                b"\x00\x00" + milliseconds.to_bytes(8, "big") + b"\x00\x01" + digest.finalize()
                + len(body).to_bytes(3, "big") + body + len(stamp.extension_bytes).to_bytes(2, "big")
                + stamp.extension_bytes
            )  # fmt: skip
            if log is not None and log.key.verifies(stamp.signature, signed):
                return
    raise SignatureFailure(tr("its certificate is in no certificate log of the trusted root"), where=signature.where)

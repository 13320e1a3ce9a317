# SPDX-License-Identifier: Apache-2.0
"""Who a certificate of a keyless signature names: the identity, and the issuer that vouched for it (Fulcio's
certificate specification). It is read here, not verified."""

from __future__ import annotations

from airgap.records import Record

#: The issuer: as bare bytes in the older extension, as a UTF8String in the newer one.
_ISSUER, _ISSUER_UTF8 = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
_MAX_CERTIFICATE = 64 * 1024


class Signer(Record):
    """Whom a certificate names. ``issuer`` is empty for a certificate that Fulcio has not made."""

    identity: str
    issuer: str


def read_signer(certificate: bytes) -> Signer | None:
    """Return the signer in a certificate, DER or PEM; ``None`` if it cannot be read, or ``cryptography`` is missing."""
    try:
        from cryptography import x509
    except ImportError:
        return None
    if len(certificate) > _MAX_CERTIFICATE:
        return None
    load = x509.load_pem_x509_certificate if certificate.startswith(b"-----") else x509.load_der_x509_certificate
    try:
        parsed = load(certificate)
        names: list[str] = []
        issuers = {}
        for extension in parsed.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                names += extension.value.get_values_for_type(x509.RFC822Name)
                names += extension.value.get_values_for_type(x509.UniformResourceIdentifier)
                names += extension.value.get_values_for_type(x509.DNSName)
            elif isinstance(extension.value, x509.UnrecognizedExtension):
                issuers[extension.oid.dotted_string] = extension.value.value
        subject = parsed.subject.rfc4514_string()
    except ValueError:
        return None
    issuer = issuers.get(_ISSUER) or _der_text(issuers.get(_ISSUER_UTF8, b""))
    return Signer(", ".join(names) or subject, issuer.decode("utf-8", "replace"))


def _der_text(value: bytes) -> bytes:
    """Return the text of a short or long UTF8String in DER."""
    if len(value) < 2 or value[0] != 0x0C:
        return b""
    return value[2 + (value[1] & 0x7F if value[1] & 0x80 else 0) :]

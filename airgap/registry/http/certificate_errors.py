# SPDX-License-Identifier: Apache-2.0
"""The error for a certificate that is not trusted: why, for which names it is, and what helps."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from airgap.i18n import tr
from airgap.registry.http.errors import UntrustedCertificate, public_url, split_url


def untrusted_certificate(error: ssl.SSLCertVerificationError, url: str, pem: str) -> UntrustedCertificate:
    """Return the error for an untrusted certificate; ``pem`` is the certificate, or empty if it could not be read."""
    host = split_url(url).hostname
    names = _certificate_names(pem)
    issued_for = tr("; the certificate is for {names}", names=names) if names else ""
    hints = {  # by the verification codes of OpenSSL
        9: tr("its time has not begun: check this machine's clock"),
        10: tr("its time is over: have it renewed, and check this machine's clock"),
        18: tr("it is self-signed: give it with --ca-file, or --insecure to trust anything"),
        19: tr("its issuer is private: give the issuer's certificate with --ca-file"),
        20: tr("its issuer is unknown here: give the issuer's certificate with --ca-file"),
        21: tr("its issuer is unknown here: give the issuer's certificate with --ca-file"),
    }
    hint = hints.get(
        error.verify_code,
        tr("use a name that the certificate holds, or have one made with {host} in its SANs", host=host),
    )
    return UntrustedCertificate(
        tr(
            "the certificate is not trusted: {verify_message}{issued_for}",
            verify_message=error.verify_message,
            issued_for=issued_for,
        ),
        where=public_url(url),
        hint=hint,
    )


def _certificate_names(pem: str) -> str:
    try:
        return _format_sans(decode_certificate(pem)) if pem else ""
    except (OSError, ValueError):
        return ""


def decode_certificate(pem: str) -> Mapping[str, object]:
    """Return the fields of a certificate without verifying it; raise :class:`OSError` or :class:`ValueError`."""
    import tempfile

    # The public functions of the standard library parse only verified certificates. The parser of its own tests reads
    # any certificate, from a file.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        decode = ssl._ssl._test_decode_cert  # type: ignore[attr-defined] # not in the stubs
        certificate: Mapping[str, object] = decode(file.name)
        return certificate


def _format_sans(certificate: Mapping[str, object]) -> str:
    names = certificate.get("subjectAltName")
    if isinstance(names, tuple) and names:
        return ", ".join(str(name[1]) for name in names[:8])
    return tr("no name at all (it has no SANs, and a CN alone is no longer read)")

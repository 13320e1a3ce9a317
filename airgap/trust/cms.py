# SPDX-License-Identifier: Apache-2.0
"""Signatures with X.509 certificates in CMS (RFC 5652), as ``openssl cms -sign -binary`` makes them.

``openssl`` signs, verifies the signature, and checks the chain of certificates, their times and revocation lists. What
a certificate may be used for is checked here, because ``openssl`` knows only e-mail as the purpose of a signature.
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap

from airgap.errors import SignatureFailure, UsageError
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust.der import is_detached_signature
from airgap.trust.openssl import openssl

#: The ending of a signature's file.
SUFFIX = ".p7s"
#: The largest signature, certificate, key or revocation list that is read, in bytes.
MAX_FILE = 16 * 1024 * 1024
#: What the private key in a hardware module is called instead of a file name (RFC 7512).
HARDWARE_KEY = "pkcs11:"
_MAX_SIGNERS = 8
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n[^-]*(?:-(?!----)[^-]*)*-----END \1-----")
_KEY_USAGE = re.compile(r"^[ \t]*X509v3 Key Usage:[^\n]*\n[ \t]+([^\n]+)", re.MULTILINE)
_EXTENDED_KEY_USAGE = re.compile(r"^[ \t]*X509v3 Extended Key Usage:[^\n]*\n[ \t]+([^\n]+)", re.MULTILINE)
_SIGNATURE_LABELS = ("CMS", "PKCS7")
#: What a certificate that signs a bundle may be for, as openssl names it. The number is document signing (RFC 9336).
_SIGNING = {"Digital Signature", "Non Repudiation"}
_PURPOSES = {"Code Signing", "E-mail Protection", "Any Extended Key Usage", "1.3.6.1.5.5.7.3.36", "documentSigning"}


class Signer(Record):
    """Who made a signature: the certificate's ``subject`` (RFC 2253) and its sha256 ``fingerprint`` in hexadecimal."""

    subject: str
    fingerprint: str


def to_der(content: bytes, *, where: str) -> bytes:
    """Return a signature as DER. ``content`` is DER or PEM. Raises :class:`SignatureFailure` for anything else."""
    der = content
    if content.startswith(b"-----BEGIN "):
        match = _PEM.match(content)
        label = match[1].decode() if match else ""
        lines = content.decode("latin-1").splitlines()[1:-1]
        try:
            der = base64.b64decode("".join(lines), validate=True)
        except (ValueError, binascii.Error):
            der = b""
        if label not in _SIGNATURE_LABELS or _pem(label, der) != content.replace(b"\r\n", b"\n"):
            der = b""
    if not is_detached_signature(der):
        raise SignatureFailure(
            tr("this is no CMS signature as openssl cms -sign -binary writes it, or it was changed"),
            where=where,
            hint=tr("copy it once more; signatures with unsigned attributes or with content in them are not taken"),
        )
    return der


def sign(content: bytes, certificates: bytes, key: str, passphrase: str = "") -> tuple[bytes, Signer]:
    """Sign ``content`` and return the signature in DER, and who made it.

    ``certificates`` are in PEM: the signer's first, then the intermediate ones, which the signature carries. ``key`` is
    the path of the private key, or its ``pkcs11:`` URI if openssl is configured for that. Raises :class:`UsageError`.
    """
    chain = _certificates(certificates)
    if not chain:
        raise UsageError(tr("there is no certificate in PEM in it"))
    signer = _describe(chain[0])[0]
    with openssl() as run:
        arguments = ["-signer", run.file(chain[0]), "-inkey", key]
        if others := [certificate for certificate in chain[1:] if not _is_self_signed(certificate)]:
            arguments += ["-certfile", run.file(b"\n".join(others))]
        output = run.file()
        arguments += ["-nosmimecap", "-outform", "DER", "-in", run.file(content), "-out", output]
        # The password is always given: openssl would otherwise ask on the terminal.
        done = run.run("cms", "-sign", "-binary", *arguments, "-passin", run.password(passphrase))
        if b"no default digest" in done.stderr:
            # RFC 8419, 3.1: Ed25519 goes with SHA-512, and openssl wants to be told.
            arguments += ["-md", "sha512"]
            done = run.run("cms", "-sign", "-binary", *arguments, "-passin", run.password(passphrase))
        signature = run.content(output)
    if done.returncode != 0 or not is_detached_signature(signature):
        raise UsageError(
            tr("openssl cannot sign with this certificate and key: {said}", said=_said(done.stderr)),
            where=key,
            hint=tr("the key must belong to the first certificate, in PEM; a wrong passphrase fails in the same way"),
        )
    return signature, signer


def verify(
    content: bytes, signature: bytes, authorities: bytes, revocations: bytes = b"", *, where: str
) -> list[Signer]:
    """Verify a signature in DER and return who made it.

    ``authorities`` are the certificates to trust, and no others; ``revocations`` are revocation lists, both in PEM.
    With any revocation list, each certificate of the chain needs one of its issuer. Raises :class:`SignatureFailure`.
    """
    with openssl() as run:
        signers = run.file()
        arguments = ["-signer", signers, "-CAfile", run.file(authorities + b"\n" + revocations), "-purpose", "any"]
        arguments += run.without_system_authorities()
        if revocations.strip():
            arguments += ["-crl_check", "-crl_check_all"]
        signed = ("-in", run.file(signature), "-inform", "DER", "-content", run.file(content))
        done = run.run("cms", "-verify", "-binary", *signed, "-out", "/dev/null", *arguments)
        found = _certificates(run.content(signers)) if done.returncode == 0 else []
    if done.returncode != 0:
        raise _refusal(done.stderr.decode("utf-8", "replace"), where)
    if not 0 < len(found) <= _MAX_SIGNERS:
        raise SignatureFailure(tr("it has {count} signers", count=len(found)), where=where)
    return [_check_usage(certificate, where) for certificate in found]


def check_pem(content: bytes, label: str, *, where: str) -> bytes:
    """Return ``content`` if it has a PEM block of this label. Raises :class:`UsageError`."""
    if not any(match[1] == label.encode() for match in _PEM.finditer(content)):
        raise UsageError(
            tr("there is no {label} in PEM in it", label=label),
            where=where,
            hint=tr("from DER: openssl x509 -inform DER or openssl crl -inform DER, with -in FILE -out FILE.pem"),
        )
    return content


def is_encrypted_key(content: bytes) -> bool:
    """Whether a private key in PEM has a passphrase."""
    return b"ENCRYPTED" in content


def _check_usage(certificate: bytes, where: str) -> Signer:
    """Raise :class:`SignatureFailure` for a certificate whose extensions do not allow to sign documents or code."""
    signer, usages, purposes = _describe(certificate)
    for allowed, found in ((_SIGNING, usages), (_PURPOSES, purposes)):
        if found and not found & allowed:
            raise SignatureFailure(
                tr(
                    "the certificate of {subject} is not for signing, but for: {found}",
                    subject=signer.subject,
                    found=", ".join(sorted(found)),
                ),
                where=where,
                hint=tr(
                    "it needs digitalSignature, and codeSigning, emailProtection or documentSigning, or no purpose"
                ),
            )
    return signer


def _describe(certificate: bytes) -> tuple[Signer, set[str], set[str]]:
    """Return who a certificate is for, its key usages and its extended key usages."""
    with openssl() as run:
        shown = ("-noout", "-subject", "-nameopt", "RFC2253,-esc_msb,utf8", "-fingerprint", "-sha256")
        path = run.file(certificate)
        done = run.run("x509", "-in", path, *shown, "-ext", "keyUsage,extendedKeyUsage")
    if done.returncode != 0:
        raise UsageError(tr("openssl cannot read the certificate: {said}", said=_said(done.stderr)))
    text = done.stdout.decode("utf-8", "replace")
    subject = re.search(r"^subject=\s*(.*)$", text, re.MULTILINE)
    fingerprint = re.search(r"Fingerprint=([0-9A-F:]+)", text)
    assert subject is not None
    assert fingerprint is not None
    usages, purposes = (
        {word.strip() for word in match[1].split(",")} if match else set[str]()
        for match in (_KEY_USAGE.search(text), _EXTENDED_KEY_USAGE.search(text))
    )
    return Signer(subject[1].strip(), fingerprint[1].replace(":", "").lower()), usages, purposes


def _is_self_signed(certificate: bytes) -> bool:
    with openssl() as run:
        said = run.run("x509", "-in", run.file(certificate), "-noout", "-subject", "-issuer").stdout
    subject, _, issuer = said.partition(b"\n")
    return subject.partition(b"=")[2] == issuer.strip().partition(b"=")[2]


def _refusal(said: str, where: str) -> SignatureFailure:
    """Translate what ``openssl cms -verify`` said."""
    match = re.search(r"Verify error:\s*(.+)", said)
    reason = match[1].strip() if match else ""
    known = {
        "certificate has expired": (tr("the certificate of the signature has expired"), _EXPIRED_HINT),
        "certificate is not yet valid": (tr("the certificate of the signature is not valid yet"), _CLOCK_HINT),
        "certificate revoked": (tr("the certificate of the signature was revoked"), _REVOKED_HINT),
        "CRL has expired": (tr("the revocation list of --crl is out of date"), _CRL_HINT),
        "CRL signature failure": (tr("the revocation list of --crl was not made by the issuer"), _CRL_HINT),
        "unable to get certificate CRL": (tr("no revocation list of the issuer is in --crl"), _CRL_HINT),
    }
    for text, (what, hint) in known.items():
        if text in reason:
            return SignatureFailure(what, where=where, hint=hint)
    if "local issuer certificate" in reason or "self-signed" in reason or "self signed" in reason:
        what = tr("the certificate of the signature was not issued by an authority of --ca")
        return SignatureFailure(what, where=where, hint=tr("--ca wants the root and every intermediate certificate"))
    if reason:
        return SignatureFailure(tr("the certificate of the signature is refused: {reason}", reason=reason), where=where)
    return SignatureFailure(
        tr("the CMS signature is not one of this content"),
        where=where,
        hint=tr("the content or the signature was changed: do not use it, ask whoever made it"),
    )


_EXPIRED_HINT = tr("ask the maker to sign the bundle again with the new certificate")
_CLOCK_HINT = tr("date shows the clock of this machine")
_REVOKED_HINT = tr("do not use the bundle; ask whoever made it")
_CRL_HINT = tr("--crl wants the current list of each authority of the chain, all in one PEM file or repeated")


def _certificates(pem: bytes) -> list[bytes]:
    return [match[0] + b"\n" for match in _PEM.finditer(pem) if match[1] in (b"CERTIFICATE", b"TRUSTED CERTIFICATE")]


def _pem(label: str, der: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def _said(stderr: bytes) -> str:
    """Return the reasons in openssl's lines of errors, without its addresses and file names."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    reasons = [parts[5] if len(parts := line.split(":")) > 6 else line for line in lines]
    return "; ".join(dict.fromkeys(reason.strip() for reason in reasons))[:300] or tr("no reason given")

# SPDX-License-Identifier: Apache-2.0
"""Public keys as cosign, Rekor and certificates have them: ECDSA, Ed25519 and RSA, verified by ``cryptography``."""

from __future__ import annotations

from typing import Any

from airgap.errors import AirgapError, UsageError
from airgap.i18n import tr
from airgap.records import Record

#: The largest file of a public key that is read, in bytes.
MAX_FILE = 64 * 1024
_MIN_RSA_BITS = 2048


class VerificationKey(Record):
    """A public key. Made by :meth:`from_pem`, :meth:`from_der` and :meth:`from_certificate`."""

    key: Any

    @classmethod
    def from_pem(cls, content: bytes, *, where: str) -> VerificationKey:
        """Read a public key in PEM. Raises :class:`UsageError`, and :class:`AirgapError` without ``cryptography``."""
        serialization = load_serialization()
        try:
            return cls._checked(serialization.load_pem_public_key(content))
        except (ValueError, TypeError) as error:
            raise _unusable(error, where) from error

    @classmethod
    def from_der(cls, content: bytes, *, where: str) -> VerificationKey:
        """Read a SubjectPublicKeyInfo (RFC 5280, 4.1). Raises what :meth:`from_pem` raises."""
        serialization = load_serialization()
        try:
            return cls._checked(serialization.load_der_public_key(content))
        except (ValueError, TypeError) as error:
            raise _unusable(error, where) from error

    @classmethod
    def from_certificate(cls, certificate: Any) -> VerificationKey:
        """Return the key of a certificate of ``cryptography``. Raises :class:`ValueError` for one of another kind."""
        return cls._checked(certificate.public_key())

    @classmethod
    def _checked(cls, key: Any) -> VerificationKey:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
            raise ValueError(tr("an RSA key of {bits} bits is too short", bits=key.key_size))
        if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
            raise ValueError(tr("it is neither ECDSA nor Ed25519 nor RSA"))
        return cls(key)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` is one of ``message`` by this key.

        Digests are SHA-256, and SHA-384 and SHA-512 for ECDSA on curves of that size, as cosign uses them; RSA is
        signed by PKCS #1 v1.5.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

        ways: list[tuple[Any, ...]]
        if isinstance(self.key, ed25519.Ed25519PublicKey):
            ways = [()]
        elif isinstance(self.key, ec.EllipticCurvePublicKey):
            ways = [(ec.ECDSA(hashes.SHA256()),)]
            ways += {384: [(ec.ECDSA(hashes.SHA384()),)], 521: [(ec.ECDSA(hashes.SHA512()),)]}.get(
                self.key.key_size, []
            )
        else:
            ways = [(padding.PKCS1v15(), hashes.SHA256())]
        for way in ways:
            try:
                self.key.verify(signature, message, *way)
            except InvalidSignature:
                continue
            return True
        return False


def load_serialization() -> Any:
    """Return the module of ``cryptography`` that reads keys. Raises :class:`AirgapError` where it is missing."""
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise AirgapError(
            tr("signatures of images need the Python package cryptography, which is not installed"),
            hint=tr("pip install cryptography, or use the package airgap-oci instead of airgap.pyz"),
        ) from error
    return serialization


def _unusable(error: Exception, where: str) -> UsageError:
    return UsageError(
        tr("this is no public key in PEM that can be used: {error}", error=str(error).partition(".")[0]),
        where=where,
        hint=tr("cosign generate-key-pair writes one as cosign.pub"),
    )

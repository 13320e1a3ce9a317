# SPDX-License-Identifier: Apache-2.0
"""The primitives that age is made of, from the package ``cryptography``, which is imported when a bundle is sealed."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from airgap.errors import AirgapError
from airgap.i18n import tr


def load_aead(key: bytes) -> Any:
    """Return ChaCha20-Poly1305 with a key of 32 bytes. Raises :class:`AirgapError` where the package is missing."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    except ImportError as error:
        raise AirgapError(
            tr("sealed bundles need the Python package cryptography, which is not installed"),
            hint=tr("pip install cryptography; or age -d -i FILE BUNDLE.tar.age > BUNDLE.tar unseals it"),
        ) from error
    return ChaCha20Poly1305(key)


def hkdf(key: bytes, *, salt: bytes, info: bytes) -> bytes:
    """Derive 32 bytes by HKDF with SHA-256 (RFC 5869)."""
    extracted = hmac.digest(salt or bytes(32), key, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def wrap(file_key: bytes, key: bytes) -> bytes:
    """Encrypt a file key with a key that is used only once."""
    wrapped: bytes = load_aead(key).encrypt(bytes(12), file_key, None)
    return wrapped


def unwrap(body: bytes, key: bytes) -> bytes | None:
    """Return the file key that :func:`wrap` encrypted; ``None`` if the key does not fit."""
    aead = load_aead(key)
    from cryptography.exceptions import InvalidTag

    if len(body) != 32:
        return None
    try:
        file_key: bytes = aead.decrypt(bytes(12), body, None)
    except InvalidTag:
        return None
    return file_key


def x25519(secret: bytes, public: bytes) -> bytes:
    """Return the shared secret (RFC 7748). Raises :class:`ValueError` for a point of small order."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))


def x25519_public(secret: bytes) -> bytes:
    """Return the public key of a secret one."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()

# SPDX-License-Identifier: Apache-2.0
"""Secret keys in minisign's format: made, read and used to sign.

The packages ``py-minisign`` and ``cryptography`` do the work. ``airgap.pyz`` does not contain them: with it one can
verify, but not sign.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from airgap.errors import AirgapError, UsageError
from airgap.i18n import tr
from airgap.trust.minisign import PREHASHED, PublicKey, Signature, check_comment

AskPassphrase = Callable[[str], str]
"""Gets the name of the key's file and returns its passphrase."""

#: Where a decrypted secret key has its ID, its seed and its public key.
_ID, _SEED, _PUBLIC = slice(54, 62), slice(62, 94), slice(94, 126)


class SecretKey:
    """A secret key that is ready to sign. Made by :meth:`from_bytes` or :meth:`generate`."""

    def __init__(self, key: Any) -> None:
        raw = base64.b64decode(key.to_base64())
        self._key = key
        self._seed = raw[_SEED]
        self.public_key = PublicKey(raw[_ID], raw[_PUBLIC])

    @classmethod
    def generate(cls) -> SecretKey:
        """Return a new key. Raises :class:`AirgapError` where the package is missing."""
        return cls(_load_minisign().KeyPair.generate().secret_key)

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str, ask: AskPassphrase | None) -> SecretKey:
        """Read a key, and ask for its passphrase if it has one; ``ask`` is ``None`` where nobody can be asked.

        Raises :class:`UsageError`, and :class:`AirgapError` where the package is missing.
        """
        minisign = _load_minisign()
        try:
            key = minisign.SecretKey.from_bytes(content)
            encrypted = key.is_encrypted()
        except minisign.Error as error:
            raise UsageError(
                tr("this is no secret key in minisign's format"),
                where=where,
                hint=tr("airgap keygen and minisign -G write such a key as NAME.key"),
            ) from error
        if encrypted:
            if ask is None:
                raise UsageError(
                    tr("this key has a passphrase, and there is no terminal to ask for it"),
                    where=where,
                    hint=tr("run it on a terminal, or use a key made with airgap keygen --no-passphrase"),
                )
            try:
                key.decrypt(ask(where))
            except minisign.Error as error:
                raise UsageError(tr("wrong passphrase"), where=where) from error
        return cls(key)

    def to_bytes(self, passphrase: str) -> bytes:
        """Return the content of a ``.key`` file, encrypted unless ``passphrase`` is empty. Call it last.

        Each try of a passphrase costs what scrypt with N=2^15 and 32 MiB costs.
        """
        if passphrase:
            # minisign calls these limits the interactive ones; its own default takes a gigabyte of memory.
            self._key.encrypt(passphrase)
        return bytes(self._key) + b"\n"

    def sign(self, content: bytes, comment: str) -> Signature:
        """Sign ``content`` and ``comment``. Equal arguments give equal signatures (RFC 8032).

        Raises :class:`UsageError` for a comment that cannot be signed.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        check_comment(comment)
        key = Ed25519PrivateKey.from_private_bytes(self._seed)
        signature = key.sign(hashlib.blake2b(content).digest())
        return Signature(PREHASHED, self.public_key.key_id, signature, comment, key.sign(signature + comment.encode()))


def _load_minisign() -> Any:
    try:
        import minisign
    except ImportError as error:
        raise AirgapError(
            tr("signing needs the Python package py-minisign, which is not installed"),
            hint=tr("pip install py-minisign; minisign -S signs without it"),
        ) from error
    return minisign

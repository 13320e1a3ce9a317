# SPDX-License-Identifier: Apache-2.0
"""The keys of age: recipients, for whom a file is sealed, and identities, which open it.

age's own keys (X25519), SSH keys (ssh-ed25519 and ssh-rsa) and passphrases (scrypt), as
https://age-encryption.org/v1 and age's own SSH support define them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust import bech32
from airgap.trust.age_crypto import hkdf, load_aead, unwrap, wrap, x25519, x25519_public
from airgap.trust.age_header import Stanza, Wrap, decode, encode

_X25519, _SCRYPT = b"age-encryption.org/v1/X25519", b"age-encryption.org/v1/scrypt"
_SSH_ED25519, _SSH_RSA = b"age-encryption.org/v1/ssh-ed25519", b"age-encryption.org/v1/ssh-rsa"
#: log2 of scrypt's N: what is written, and the most that is read. Each step doubles time and memory; 18 are 256 MiB.
_WORK, _MOST_WORK = 18, 20
_FIELD = 2**255 - 19

AskPassphrase = Callable[[str], str]
"""Gets what has the passphrase, for messages, and returns it."""


class Identity(Record):
    """A key that may open a file: ``open`` returns the file's key from a stanza, or ``None``."""

    kind: str
    open: Callable[[Stanza], bytes | None]


def parse_recipient(line: str, *, where: str) -> Wrap:
    """Return the recipient that a line names: ``age1…``, ``ssh-ed25519 …`` or ``ssh-rsa …``. Raises UsageError."""
    load_aead(bytes(32))
    if (public := bech32.decode(line, "age")) is not None and len(public) == 32:
        return partial(_wrap_x25519, public)
    if line.startswith(("ssh-ed25519 ", "ssh-rsa ")):
        try:
            blob = base64.b64decode(line.split()[1], validate=True)
            return _ssh_recipient(line, blob)
        except (ValueError, IndexError, binascii.Error):
            pass
    raise UsageError(
        tr("{line!r} is no recipient", line=line[:60]),
        where=where,
        hint=tr("such as age1… of age-keygen, or a line of an SSH public key, ssh-ed25519 or ssh-rsa"),
    )


def passphrase_recipient(passphrase: str, *, work: int = _WORK) -> Wrap:
    """Return the recipient of a passphrase. A file has no other one. ``work`` is log2 of scrypt's N."""

    def wrap_for_passphrase(file_key: bytes) -> Stanza:
        salt = os.urandom(16)
        return Stanza(("scrypt", encode(salt), str(work)), wrap(file_key, _scrypt(passphrase, salt, work)))

    return wrap_for_passphrase


def passphrase_identity(passphrase: str) -> Identity:
    """Return the identity of a passphrase."""

    def open_stanza(stanza: Stanza) -> bytes | None:
        if len(stanza.arguments) != 3 or not stanza.arguments[2].isdecimal() or len(stanza.arguments[2]) > 2:
            return None
        work, salt = int(stanza.arguments[2]), decode(stanza.arguments[1])
        if not 0 < work <= _MOST_WORK or len(salt) != 16:
            return None
        return unwrap(stanza.body, _scrypt(passphrase, salt, work))

    return Identity("scrypt", open_stanza)


def parse_identities(content: bytes, *, where: str, ask: AskPassphrase | None) -> list[Identity]:
    """Return the identities in a file: lines ``AGE-SECRET-KEY-1…``, or an SSH private key.

    ``ask`` asks for the passphrase of an SSH key. Raises :class:`UsageError`.
    """
    load_aead(bytes(32))
    if b"PRIVATE KEY-----" in content:
        return [_ssh_identity(content, where, ask)]
    lines = [line.strip() for line in content.decode("utf-8", "replace").splitlines()]
    identities = []
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            secret = bech32.decode(line, "AGE-SECRET-KEY-")
            if secret is None or len(secret) != 32:
                raise UsageError(
                    tr("this is no identity of age"),
                    where=f"{where}:{number}",
                    hint=tr("age-keygen writes one; an SSH private key is one too"),
                )
            identities.append(Identity("X25519", partial(_open_x25519, secret)))
    if not identities:
        raise UsageError(tr("there is no identity in it"), where=where, hint=tr("age-keygen writes one"))
    return identities


def find_file_key(stanzas: Sequence[Stanza], identities: Sequence[Identity]) -> bytes | None:
    """Return the key of a file that one of ``identities`` opens, ``None`` if none does."""
    for stanza in stanzas:
        # A passphrase beside other recipients would let whoever knows it pretend to be one of them.
        if stanza.kind == "scrypt" and len(stanzas) > 1:
            return None
        for identity in identities:
            if identity.kind == stanza.kind:
                try:
                    file_key = identity.open(stanza)
                except ValueError:
                    continue
                if file_key is not None and len(file_key) == 16:
                    return file_key
    return None


def _wrap_x25519(public: bytes, file_key: bytes) -> Stanza:
    ephemeral = os.urandom(32)
    share = x25519_public(ephemeral)
    key = hkdf(x25519(ephemeral, public), salt=share + public, info=_X25519)
    return Stanza(("X25519", encode(share)), wrap(file_key, key))


def _open_x25519(secret: bytes, stanza: Stanza) -> bytes | None:
    if len(stanza.arguments) != 2 or len(share := decode(stanza.arguments[1])) != 32:
        return None
    key = hkdf(x25519(secret, share), salt=share + x25519_public(secret), info=_X25519)
    return unwrap(stanza.body, key)


def _scrypt(passphrase: str, salt: bytes, work: int) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(), salt=_SCRYPT + salt, n=1 << work, r=8, p=1, dklen=32, maxmem=(1 << work) * 8 * 128 * 2
    )


def _ssh_recipient(line: str, blob: bytes) -> Wrap:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    key = load_ssh_public_key(line.encode())
    tag = encode(hashlib.sha256(blob).digest()[:4])
    if isinstance(key, Ed25519PublicKey):
        public = _montgomery(key.public_bytes_raw())
        tweak = hkdf(b"", salt=blob, info=_SSH_ED25519)

        def wrap_ed25519(file_key: bytes) -> Stanza:
            ephemeral = os.urandom(32)
            share = x25519_public(ephemeral)
            secret = x25519(tweak, x25519(ephemeral, public))
            wrapped = wrap(file_key, hkdf(secret, salt=share + public, info=_SSH_ED25519))
            return Stanza(("ssh-ed25519", tag, encode(share)), wrapped)

        return wrap_ed25519
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise ValueError(line)
    rsa_key = key
    return lambda file_key: Stanza(("ssh-rsa", tag), rsa_key.encrypt(file_key, _oaep()))


def _ssh_identity(content: bytes, where: str, ask: AskPassphrase | None) -> Identity:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = _load_private_key(content, where, ask)
    if not isinstance(key, Ed25519PrivateKey | RSAPrivateKey):
        raise UsageError(tr("age takes SSH keys of the types ssh-ed25519 and ssh-rsa only"), where=where)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    blob = base64.b64decode(line.split()[1])
    tag = encode(hashlib.sha256(blob).digest()[:4])
    if isinstance(key, RSAPrivateKey):
        rsa_key = key

        def open_rsa(stanza: Stanza) -> bytes | None:
            return rsa_key.decrypt(stanza.body, _oaep()) if stanza.arguments[1:] == (tag,) else None

        return Identity("ssh-rsa", open_rsa)
    # RFC 8032, 5.1.5: the scalar of an Ed25519 key. X25519 clamps it.
    secret = hashlib.sha512(key.private_bytes_raw()).digest()[:32]
    tweak = hkdf(b"", salt=blob, info=_SSH_ED25519)

    def open_ed25519(stanza: Stanza) -> bytes | None:
        if stanza.arguments[1:2] != (tag,) or len(stanza.arguments) != 3:
            return None
        share = decode(stanza.arguments[2])
        shared = x25519(tweak, x25519(secret, share))
        return unwrap(stanza.body, hkdf(shared, salt=share + x25519_public(secret), info=_SSH_ED25519))

    return Identity("ssh-ed25519", open_ed25519)


def _load_private_key(content: bytes, where: str, ask: AskPassphrase | None) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in content else load_pem_private_key
    try:
        try:
            return load(content, None)
        except TypeError:
            if ask is None:
                raise UsageError(
                    tr("this key has a passphrase, and there is no terminal to ask for it"), where=where
                ) from None
            return load(content, ask(where).encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        needs_bcrypt = "bcrypt" in str(error)
        raise UsageError(
            tr("this private key cannot be read: {error}", error=error),
            where=where,
            hint=tr("pip install bcrypt; SSH keys with a passphrase need it") if needs_bcrypt else None,
        ) from error


def _oaep() -> Any:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA256

    return OAEP(MGF1(SHA256()), SHA256(), _SSH_RSA)


def _montgomery(public: bytes) -> bytes:
    """Return the X25519 key of an Ed25519 key (RFC 7748, 4.1): u = (1 + y) / (1 - y)."""
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    return ((1 + y) * pow(1 - y, -1, _FIELD) % _FIELD).to_bytes(32, "little")

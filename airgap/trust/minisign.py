# SPDX-License-Identifier: Apache-2.0
"""Public keys and signatures in minisign's format (https://jedisct1.github.io/minisign/).

Both are read strictly: a signature has one form of bytes only, so that every changed bit of it is found. Its untrusted
comment is therefore always the text that minisign writes by default.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from airgap.errors import SignatureFailure, UsageError
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust.ed25519 import verify

#: The ending of a signature's file.
SUFFIX = ".minisig"
#: The largest file of a key or a signature that is read, in bytes. minisign allows comments of 8 KiB.
MAX_FILE = 32 * 1024
_UNTRUSTED = "untrusted comment: "
_TRUSTED = "trusted comment: "
_SIGNATURE_COMMENT = "signature from minisign secret key"
#: The signature algorithms: of the content, and of its BLAKE2b-512 digest.
_PURE, PREHASHED = b"Ed", b"ED"


class PublicKey(Record):
    """``key_id`` are the 8 bytes of the key's ID, ``key`` the 32 bytes of the Ed25519 key."""

    key_id: bytes
    key: bytes

    @property
    def id(self) -> str:
        """The ID as minisign shows it: 16 hexadecimal digits."""
        return shown_id(self.key_id)

    @property
    def text(self) -> str:
        """The key as one line of base64."""
        return base64.b64encode(_PURE + self.key_id + self.key).decode()

    def to_bytes(self) -> bytes:
        """Return the content of a ``.pub`` file."""
        return f"{_UNTRUSTED}minisign public key {self.id}\n{self.text}\n".encode()

    @classmethod
    def from_text(cls, text: str, *, where: str) -> PublicKey:
        """Parse one line of base64. Raises :class:`UsageError`."""
        try:
            decoded = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            decoded = b""
        if len(decoded) != 42 or decoded[:2] != _PURE:
            raise UsageError(
                tr("this is no public key in minisign's format"),
                where=where,
                hint=tr("airgap keygen and minisign -G write such a key as NAME.pub"),
            )
        return cls(decoded[2:10], decoded[10:])

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> PublicKey:
        """Parse a ``.pub`` file: a comment and a line of base64. Raises :class:`UsageError`."""
        lines = content.decode("utf-8", "replace").split("\n")
        if lines[0].startswith(_UNTRUSTED):
            lines = lines[1:]
        if re.match(rb"untrusted comment: minisign.* secret key\n", content):
            raise UsageError(
                tr("this is a secret key, and the public one is asked for"),
                where=where,
                hint=tr("give the file NAME.pub, and keep this one to yourself"),
            )
        return cls.from_text(lines[0].strip() if lines else "", where=where)


class Signature(Record):
    """A signature.

    ``algorithm`` tells whether the content or its BLAKE2b digest is signed. ``comment`` is the trusted comment, which
    ``comment_signature`` protects.
    """

    algorithm: bytes
    key_id: bytes
    signature: bytes
    comment: str
    comment_signature: bytes

    @property
    def id(self) -> str:
        """The ID of the key as minisign shows it."""
        return shown_id(self.key_id)

    def to_bytes(self) -> bytes:
        """Return the content of a ``.minisig`` file."""
        lines = (
            f"{_UNTRUSTED}{_SIGNATURE_COMMENT}",
            base64.b64encode(self.algorithm + self.key_id + self.signature).decode(),
            f"{_TRUSTED}{self.comment}",
            base64.b64encode(self.comment_signature).decode(),
        )
        return "".join(f"{line}\n" for line in lines).encode()

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Signature:
        """Parse a ``.minisig`` file. Raises :class:`SignatureFailure` for anything but its one form."""
        signature = _parse(content)
        if signature is None or signature.to_bytes() != content:
            raise SignatureFailure(
                tr("this is no signature as minisign writes it, or it was changed"),
                where=where,
                hint=tr("copy it once more; minisign -S without -c makes the form that is read"),
            )
        return signature

    def check(self, key: PublicKey, content: bytes, *, where: str) -> None:
        """Raise :class:`SignatureFailure` unless ``key`` has signed ``content`` and the comment."""
        signed = hashlib.blake2b(content).digest() if self.algorithm == PREHASHED else content
        if self.key_id != key.key_id or not verify(key.key, signed, self.signature):
            raise SignatureFailure(
                tr("the signature by key {key_id} is not one of this content", key_id=self.id),
                where=where,
                hint=tr("the content or the signature was changed: do not use it, ask whoever made it"),
            )
        if not verify(key.key, self.signature + self.comment.encode(), self.comment_signature):
            raise SignatureFailure(
                tr("the comment of the signature by key {key_id} was changed", key_id=self.id), where=where
            )


def check_comment(comment: str) -> str:
    """Return a comment that may be signed. Raises :class:`UsageError`."""
    if not comment.isprintable() or len(comment.encode()) > 1024:
        raise UsageError(tr("a comment is one line of at most 1024 bytes, without control characters"))
    return comment


def is_key_text(text: str) -> bool:
    """Whether ``text`` looks like a public key in base64, as opposed to a file name."""
    return re.fullmatch(r"RW[A-Za-z0-9+/]{54}", text) is not None


def shown_id(key_id: bytes) -> str:
    """Return a key ID as minisign shows it: a number in little-endian order, as hexadecimal digits."""
    return f"{int.from_bytes(key_id, 'little'):016X}"


def _parse(content: bytes) -> Signature | None:
    try:
        lines = content.decode().split("\n")
        first, last = (base64.b64decode(lines[number], validate=True) for number in (1, 3))
    except (ValueError, IndexError):
        return None
    if len(first) != 74 or len(last) != 64 or first[:2] not in (_PURE, PREHASHED):
        return None
    return Signature(first[:2], first[2:10], first[10:], lines[2].removeprefix(_TRUSTED), last)

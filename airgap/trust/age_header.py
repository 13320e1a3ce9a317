# SPDX-License-Identifier: Apache-2.0
"""The header of an age file (https://age-encryption.org/v1): who can decrypt it, and the keys of what follows.

A stanza has the file's key, encrypted for one recipient. Headers are read strictly, as the specification demands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence

from airgap.errors import SignatureFailure
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust.age_crypto import hkdf

#: The first line of a file.
MAGIC = b"age-encryption.org/v1\n"
#: The largest header that is read, in bytes.
MAX_HEADER = 64 * 1024
_MAC = re.compile(rb"^--- ([A-Za-z0-9+/]{43})\n", re.MULTILINE)
_ARGUMENT = re.compile(r"[!-~]+")


class Stanza(Record):
    """One recipient: ``arguments`` are its type and what belongs to it, ``body`` the encrypted key of the file."""

    arguments: tuple[str, ...]
    body: bytes

    @property
    def kind(self) -> str:
        """The type of the recipient, such as ``X25519`` or ``scrypt``."""
        return self.arguments[0]

    def to_bytes(self) -> bytes:
        """Return the stanza's lines. The last one is always shorter than 64 characters, and may be empty."""
        text = encode(self.body)
        lines = [text[start : start + 64] for start in range(0, len(text) + 1, 64)]
        return "".join(f"{line}\n" for line in (f"-> {' '.join(self.arguments)}", *lines)).encode()


class Header(Record):
    """The header of a file: ``stanzas``, and the ``mac`` that protects them. ``size`` is its length in bytes."""

    stanzas: tuple[Stanza, ...]
    mac: bytes
    size: int

    @classmethod
    def parse(cls, start: bytes, *, where: str) -> Header:
        """Parse the header at the start of a file. Raises :class:`SignatureFailure`."""
        match = _MAC.search(start, 0, MAX_HEADER)
        try:
            if match is None or not start.startswith(MAGIC):
                raise ValueError
            stanzas = _parse_stanzas(start[len(MAGIC) : match.start()].decode("ascii"))
            header = cls(stanzas, decode(match[1].decode()), match.end())
            if not stanzas or header_start(stanzas) != start[: match.start() + 3]:
                raise ValueError
        except ValueError as error:
            raise SignatureFailure(
                tr("the header of this sealed bundle is damaged"),
                where=where,
                hint=tr("copy the bundle once more from the other side"),
            ) from error
        return header

    def check(self, file_key: bytes, *, where: str) -> None:
        """Raise :class:`SignatureFailure` if the header was changed."""
        if not hmac.compare_digest(_mac(file_key, self.stanzas), self.mac):
            raise SignatureFailure(tr("the header of this sealed bundle was changed"), where=where)


Wrap = Callable[[bytes], Stanza]
"""Encrypts a file's key for one recipient."""


def make_header(file_key: bytes, recipients: Sequence[Wrap]) -> bytes:
    """Return a header by which each of ``recipients`` can decrypt a file."""
    stanzas = [wrap(file_key) for wrap in recipients]
    return header_start(stanzas) + b" " + encode(_mac(file_key, stanzas)).encode() + b"\n"


def header_start(stanzas: Sequence[Stanza]) -> bytes:
    """Return everything before the code that protects it."""
    return MAGIC + b"".join(stanza.to_bytes() for stanza in stanzas) + b"---"


def encode(content: bytes) -> str:
    """Return base64 without padding."""
    return base64.b64encode(content).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Parse base64 without padding, in its one form only. Raises :class:`ValueError`."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if encode(content) != text:
        raise ValueError(text)
    return content


def _mac(file_key: bytes, stanzas: Sequence[Stanza]) -> bytes:
    return hmac.digest(hkdf(file_key, salt=b"", info=b"header"), header_start(stanzas), hashlib.sha256)


def _parse_stanzas(text: str) -> tuple[Stanza, ...]:
    stanzas = []
    for part in text.split("-> ")[1:]:
        first, *lines = part.split("\n")
        arguments = tuple(first.split(" "))
        if not all(_ARGUMENT.fullmatch(argument) for argument in arguments):
            raise ValueError(first)
        stanzas.append(Stanza(arguments, decode("".join(lines))))
    return tuple(stanzas)

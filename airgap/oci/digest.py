# SPDX-License-Identifier: Apache-2.0
"""Content digests: ``algorithm:encoded`` strings (OCI image-spec, descriptor.md, "Digests").

A digest is a plain ``str`` that has passed :func:`check`. Only such strings may become a path, a URL or a key.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from airgap.errors import DigestMismatch, InvalidReference
from airgap.i18n import tr

#: The supported algorithms, with the length of their hexadecimal form.
ALGORITHMS = {"sha256": 64, "sha384": 96, "sha512": 128}

# image-spec descriptor.md: algorithm ::= component (separator component)*, encoded ::= [a-zA-Z0-9=_-]+
_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX = re.compile(r"[0-9a-f]+")


class Hash(Protocol):
    """The methods of :mod:`hashlib`'s objects that this program uses."""

    def update(self, data: bytes | memoryview | bytearray, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, in hexadecimal."""

    def copy(self) -> Hash:
        """Return a copy that can be continued on its own."""


def problem(text: str) -> str | None:
    """Return the reason why ``text`` is not a supported digest, or ``None`` if it is one."""
    if not _GRAMMAR.fullmatch(text):
        return tr("a digest is written algorithm:hex, such as sha256 and 64 characters of 0-9a-f")
    algorithm, _, encoded = text.partition(":")
    length = ALGORITHMS.get(algorithm)
    if length is None:
        return tr(
            "unknown digest algorithm {algorithm!r}; known are {algorithms}",
            algorithm=algorithm,
            algorithms=", ".join(ALGORITHMS),
        )
    if len(encoded) != length or not _HEX.fullmatch(encoded):
        return tr(
            "a {algorithm} digest has {length} characters of 0-9a-f after the colon", algorithm=algorithm, length=length
        )
    return None


def is_digest(text: str) -> bool:
    """Whether ``text`` is a supported digest."""
    return problem(text) is None


def check(text: str) -> str:
    """Return ``text`` if it is a supported digest; raise :class:`InvalidReference` otherwise."""
    reason = problem(text)
    if reason:
        raise InvalidReference(tr("invalid digest {text!r}: {reason}", text=text[:160], reason=reason))
    return text


def algorithm(digest: str) -> str:
    """Return the part before the colon, such as ``sha256``."""
    return digest.partition(":")[0]


def encoded(digest: str) -> str:
    """Return the part after the colon: the hexadecimal form."""
    return digest.partition(":")[2]


def hasher(digest: str) -> Hash:
    """Return a new hash object for the algorithm of ``digest``."""
    return hashlib.new(algorithm(digest))


def of(content: bytes | memoryview, name: str = "sha256") -> str:
    """Return the digest of ``content`` by the algorithm ``name``."""
    return f"{name}:{hashlib.new(name, content).hexdigest()}"


def verify(content: bytes, digest: str, *, where: str | None = None) -> bytes:
    """Return ``content`` if it hashes to ``digest``; raise :class:`DigestMismatch` otherwise."""
    actual = of(content, algorithm(digest))
    if actual != digest:
        raise DigestMismatch(
            tr("content hashes to {actual}, not to {digest}", actual=actual, digest=digest), where=where
        )
    return content

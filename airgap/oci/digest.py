# SPDX-License-Identifier: Apache-2.0
"""Content digests: ``algorithm:encoded`` strings (OCI image-spec, descriptor.md, "Digests").

A digest travels as a plain ``str`` that has passed :func:`check`; nothing else may become a path,
a URL or a key.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from airgap.errors import DigestMismatch, InvalidReference

#: Algorithms whose content we can verify, with the length of their hexadecimal form.
ALGORITHMS = {"sha256": 64, "sha384": 96, "sha512": 128}

# image-spec descriptor.md: algorithm ::= component (separator component)*, encoded ::= [a-zA-Z0-9=_-]+
_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX = re.compile(r"[0-9a-f]+")


class Hash(Protocol):
    """The part of :mod:`hashlib`'s objects that is used."""

    def update(self, data: bytes | memoryview | bytearray, /) -> None: ...
    def hexdigest(self) -> str: ...
    def copy(self) -> Hash: ...


def problem(text: str) -> str | None:
    """Say why ``text`` is no digest that can be verified, or ``None`` if it is one."""
    if not _GRAMMAR.fullmatch(text):
        return "a digest is written algorithm:hex, such as sha256 and 64 characters of 0-9a-f"
    algorithm, _, encoded = text.partition(":")
    length = ALGORITHMS.get(algorithm)
    if length is None:
        return f"unknown digest algorithm {algorithm!r}; known are {', '.join(ALGORITHMS)}"
    if len(encoded) != length or not _HEX.fullmatch(encoded):
        return f"a {algorithm} digest has {length} characters of 0-9a-f after the colon"
    return None


def check(text: str) -> str:
    """Return ``text`` if it is a verifiable digest; raise :class:`InvalidReference` otherwise."""
    reason = problem(text)
    if reason:
        raise InvalidReference(f"invalid digest {text[:160]!r}: {reason}")
    return text


def algorithm(digest: str) -> str:
    return digest.partition(":")[0]


def encoded(digest: str) -> str:
    return digest.partition(":")[2]


def hasher(digest: str) -> Hash:
    """A fresh hash object for the algorithm of ``digest``."""
    return hashlib.new(algorithm(digest))


def of(content: bytes | memoryview, name: str = "sha256") -> str:
    """The digest of ``content``."""
    return f"{name}:{hashlib.new(name, content).hexdigest()}"


def verify(content: bytes, digest: str, *, where: str | None = None) -> bytes:
    """Return ``content`` if it hashes to ``digest``; raise :class:`DigestMismatch` otherwise."""
    found = of(content, algorithm(digest))
    if found != digest:
        raise DigestMismatch(f"content hashes to {found}, not to {digest}", where=where)
    return content

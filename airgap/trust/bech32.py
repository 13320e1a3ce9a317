# SPDX-License-Identifier: Apache-2.0
"""Bech32 (BIP 173), in which age writes its keys: letters and digits with a checksum, without a limit of length."""

from __future__ import annotations

from collections.abc import Iterable

_CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def decode(text: str, prefix: str) -> bytes | None:
    """Return the bytes of ``text``, which begins with ``prefix`` and ``1``; ``None`` if it is malformed."""
    start = f"{prefix}1"
    body = text[len(start) :].lower()
    if not text.startswith(start) or text not in (text.lower(), text.upper()) or len(body) < 6:
        return None
    values = [_CHARACTERS.find(character) for character in body]
    if -1 in values or _checksum([*_expanded(prefix.lower()), *values]) != 1:
        return None
    number = 0
    for value in values[:-6]:
        number = number << 5 | value
    length, rest = divmod(5 * len(values[:-6]), 8)
    # The bits that fill the last character are zeros.
    if rest > 4 or number & (1 << rest) - 1:
        return None
    return (number >> rest).to_bytes(length, "big")


def encode(content: bytes, prefix: str) -> str:
    """Return ``content`` in lower case with ``prefix``."""
    bits = len(content) * 8
    padding = -bits % 5
    number = int.from_bytes(content, "big") << padding
    values = [number >> shift & 31 for shift in range(bits + padding - 5, -1, -5)]
    checksum = _checksum([*_expanded(prefix), *values, *([0] * 6)]) ^ 1
    values += [checksum >> shift & 31 for shift in range(25, -1, -5)]
    return f"{prefix}1" + "".join(_CHARACTERS[value] for value in values)


def _expanded(prefix: str) -> list[int]:
    return [*(ord(character) >> 5 for character in prefix), 0, *(ord(character) & 31 for character in prefix)]


def _checksum(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum

# SPDX-License-Identifier: Apache-2.0
"""Columns of text on a terminal, where a Hangul syllable is as wide as two Latin letters."""

from __future__ import annotations


def display_width(text: str) -> int:
    """Return how many columns ``text`` takes (Unicode Standard Annex 11, "East Asian Width")."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def left(text: str, columns: int) -> str:
    """Return ``text`` with blanks behind it, at least ``columns`` wide."""
    return text + " " * (columns - display_width(text))


def right(text: str, columns: int) -> str:
    """Return ``text`` with blanks before it, at least ``columns`` wide."""
    return " " * (columns - display_width(text)) + text


def cut(text: str, columns: int) -> str:
    """Return as much of the beginning of ``text`` as ``columns`` have room for."""
    if text.isascii():
        return text[: max(0, columns)]
    used = 0
    for index, character in enumerate(text):
        used += display_width(character)
        if used > columns:
            return text[:index]
    return text

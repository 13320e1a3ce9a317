# SPDX-License-Identifier: Apache-2.0
"""Columns of text on a terminal, where a Hangul syllable is as wide as two Latin letters."""

from __future__ import annotations

from airgap.cli.folding import display_width

__all__ = ["cut", "display_width", "left", "right"]


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

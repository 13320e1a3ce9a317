# SPDX-License-Identifier: Apache-2.0
"""Makes text from bundles, registries and clients safe to print on a terminal."""

from __future__ import annotations


def printable(text: str, *, lines: bool = False) -> str:
    """Return ``text`` with each control character replaced by U+FFFD; ``lines`` keeps line feeds and tabs."""
    allowed = "\n\t" if lines else ""
    return "".join(char if char.isprintable() or char in allowed else "\N{REPLACEMENT CHARACTER}" for char in text)

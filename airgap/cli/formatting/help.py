# SPDX-License-Identifier: Apache-2.0
"""``--help`` in columns: click counts characters, and a Hangul syllable takes two columns."""

from __future__ import annotations

from collections.abc import Iterable

import click

from airgap.cli.formatting.columns import display_width

#: Stands behind each wide character while click wraps the text. No text has one.
_FILLER = "\0"


class WideFormatter(click.HelpFormatter):
    """Wraps text by columns. click's own code does it, over text in which each wide character counts twice."""

    def write(self, string: str) -> None:
        """Write a piece of the page."""
        super().write(string.replace(_FILLER, ""))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line of usage."""
        super().write_usage(_filled(prog), args, prefix)

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        super().write_text(_filled(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a table of two columns."""
        super().write_dl([(_filled(name), _filled(text)) for name, text in rows], col_max, col_spacing)


def _filled(text: str) -> str:
    if text.isascii():
        return text
    return "".join(character + _FILLER if display_width(character) == 2 else character for character in text)

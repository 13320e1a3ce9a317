# SPDX-License-Identifier: Apache-2.0
"""Paragraphs of Debian's control files (Debian Policy 5.1): ``Field: value``, with lines that continue it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_NAME = re.compile(r"[!-9;-~]+")


def parse_paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Yield each paragraph. Values keep their line ends and the blank that a continuing line begins with.

    Lines that are no field, such as those of a signature, are left out; of a repeated field the first one holds.
    """
    fields: dict[str, str] = {}
    current = ""
    # Not splitlines(): a value may hold characters that it takes for the end of a line.
    for line in text.split("\n"):
        line = line.rstrip("\r")
        if not line.strip():
            if fields:
                yield fields
            fields, current = {}, ""
        elif line[0] in " \t":
            if current:
                fields[current] += f"\n{line}"
        elif not line.startswith("#"):
            name, separator, value = line.partition(":")
            current = name if separator and _NAME.fullmatch(name) and name not in fields else ""
            if current:
                fields[current] = value.strip()
    if fields:
        yield fields


def format_paragraph(fields: Mapping[str, str]) -> str:
    """Return the text of a paragraph, with a line end at its end."""
    return "".join(f"{name}:{value if value.startswith(chr(10)) else f' {value}'}\n" for name, value in fields.items())

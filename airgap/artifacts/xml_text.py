# SPDX-License-Identifier: Apache-2.0
"""Settings files in XML: reading a user's, and setting an element in one with every other byte left as it is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

_MAX_FILE = 4 * 1024 * 1024


def read_settings(path: Path) -> Iterator[ElementTree.Element]:
    """Yield the root of a user's settings file; nothing if it is missing, wrong, or defines entities.

    The client itself says what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE)
        if b"<!DOCTYPE" not in content and b"<!ENTITY" not in content and b"\0" not in content:
            yield ElementTree.fromstring(content)
    except (OSError, ElementTree.ParseError, ValueError, LookupError):
        return


def set_in_section(text: str, root: str, section: str, element: str, known: str) -> str | None:
    """Return ``text`` with ``element`` as the first one in ``section`` of ``root``, or in the place of the first that
    the expression ``known`` matches; ``None`` if there is no such root.

    What is commented out does not count. An empty ``text`` becomes a file.
    """
    if not text.strip():
        return f"<{root}>\n  <{section}>\n    {element}\n  </{section}>\n</{root}>\n"
    visible = _with_blank_comments(text)
    if (place := re.search(known, visible, re.DOTALL)) is not None:
        return f"{text[: place.start()]}{element}{text[place.end() :]}"
    if (place := re.search(rf"<{section}\s*>", visible)) is not None:
        return f"{text[: place.end()]}\n    {element}{text[place.end() :]}"
    whole = f"<{section}>\n    {element}\n  </{section}>"
    if (place := re.search(rf"<{section}\s*/>", visible)) is not None:
        return f"{text[: place.start()]}{whole}{text[place.end() :]}"
    end = visible.rfind(f"</{root}>")
    return f"{text[:end]}  {whole}\n{text[end:]}" if end >= 0 else None


def _with_blank_comments(text: str) -> str:
    """The text with blanks in the place of comments."""
    parts = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts += [text[position:start], " " * (end + 3 - start)]
        position = end + 3
    return "".join((*parts, text[position:]))

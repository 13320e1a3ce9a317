# SPDX-License-Identifier: Apache-2.0
"""docs/architecture.svg: the rooms of the package, in the layers that import-linter holds them to.

    python tools/architecture.py           # write it
    python tools/architecture.py --check   # end with 1 if it is out of date

The layers come from pyproject.toml, the sentence in each box from the room's first line.
"""

from __future__ import annotations

import ast
import sys
from html import escape
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
SVG = ROOT / "docs" / "architecture.svg"
WIDTH, GAP, MARGIN = 1000, 22, 20
#: Pixels of a box without lines of text, of each of its lines, and of a letter at most.
HEAD, LINE, LETTER = 28, 15, 6.9


def layers() -> list[list[str]]:
    """The rooms of each layer, the highest first; modules that are no folder are left out."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = document["tool"]["importlinter"]["contracts"]
    (contract,) = [entry for entry in contracts if entry["name"] == "imports go one way"]
    rows = [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]
    return [rooms for row in rows if (rooms := [name for name in row if not name.startswith("__")])]


def sentence(room: str) -> str:
    """What the room's docstring says in its first line, without marks of markup."""
    folder = ROOT / "airgap" / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").replace("``", "").replace("`", "")


def wrapped(text: str, width: int) -> list[str]:
    """``text`` in at most three lines of ``width`` characters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if len(lines) <= 3 else [*lines[:2], f"{lines[2]} …"]


def drawing() -> str:
    """The SVG document."""
    top, boxes = MARGIN, list[str]()
    rows = layers()
    for number, rooms in enumerate(rows):
        width = (WIDTH - 2 * MARGIN - (len(rooms) - 1) * GAP) / len(rooms)
        texts = [wrapped(sentence(room), int(width / LETTER)) for room in rooms]
        height = HEAD + LINE * max(map(len, texts)) + 6
        for position, (room, lines) in enumerate(zip(rooms, texts, strict=True)):
            boxes += _box(room, lines, MARGIN + position * (width + GAP), top, width, height)
        top += height
        if number + 1 < len(rows):
            boxes.append(
                f'<line x1="{WIDTH // 2}" y1="{top + 3}" x2="{WIDTH // 2}" y2="{top + GAP - 6}" '
                "stroke='#667' marker-end='url(#tip)'/>"
            )
            top += GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + MARGIN}" font-family="sans-serif">',
        "<title>The rooms of airgap. Imports go from a room to those below it, never upwards or sideways.</title>",
        f'<rect width="{WIDTH}" height="{top + MARGIN}" fill="#ffffff"/>',
        "<defs><marker id='tip' markerWidth='8' markerHeight='8' refX='4' refY='4' orient='auto'>"
        "<path d='M0 0 L8 4 L0 8 z' fill='#667'/></marker></defs>",
        *boxes,
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _box(room: str, lines: list[str], left: float, top: int, width: float, height: int) -> list[str]:
    at = f'x="{left + 12:.0f}"'
    return [
        f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{height}" rx="6" fill="#eef3fb" stroke="#567"/>',
        f'<text {at} y="{top + 20}" font-size="15" font-weight="bold">{escape(room)}</text>',
        *(
            f'<text {at} y="{top + 37 + LINE * number}" font-size="11.5" fill="#333">{escape(text)}</text>'
            for number, text in enumerate(lines)
        ),
    ]


def main() -> int:
    """Write the drawing, or compare it."""
    text = drawing()
    if "--check" in sys.argv[1:]:
        return int(not SVG.exists() or SVG.read_text() != text)
    SVG.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Lines folded between words for a terminal, by columns, of which a Hangul syllable takes two.

A terminal itself breaks a long line in the middle of a word. A command stays on one line, so that it can be pasted:
the terminal breaks that, and joins it again when it is copied.
"""

from __future__ import annotations

import os
import re
from typing import TextIO

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
#: A command begins with one of these words.
_PROGRAM = (
    r"(?:airgap [a-z]|(?:cat|cp|crictl|ctr|curl|docker|echo|expand|helm|iconv|journalctl|kubectl|mkdir|nerdctl|npm|"
    r"openssl|oras|pip|podman|rm|skopeo|sudo|systemctl|tar|update-ca-certificates) [!-~])"
)
#: What is kept on one line: a word, or a command up to the first word that is not ASCII.
_UNIT = re.compile(rf"(?<! ) *(?:(?:\x1b\[[\d;]*m)*{_PROGRAM}[!-~\x1b]*(?: [!-~\x1b]+(?= |$))*|[^ ]+)")
#: Blanks between two columns of a table; the text of the last column is continued under its beginning.
_GAP = re.compile(r"(?<=\S) {2,}(?=\S)")
#: Columns before a continued line, beside the indentation of the first; an indentation that is deeper than the second
#: number is one of a table.
_HANGING, _DEEP = 4, 8
#: Columns of the narrowest terminal that lines are folded for.
_MIN_COLUMNS = 24


def display_width(text: str) -> int:
    """Return how many columns ``text`` takes (Unicode Standard Annex 11, "East Asian Width")."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def terminal_columns(stream: TextIO) -> int:
    """Return the width of the terminal that ``stream`` writes to; 0 if it is none, or too narrow to fold lines for."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        return 0
    return columns if columns >= _MIN_COLUMNS else 0


def folded(line: str, columns: int) -> str:
    """Return ``line``, which may have colours, as lines of at most ``columns``; a longer word or command is not broken.

    What goes on below is indented more than the line is, or stands under the last column of its table.
    """
    plain = _COLOUR.sub("", line)
    if columns <= 0 or display_width(plain) <= columns:
        return line
    hanging = " " * _hanging(plain, columns)
    lines, current, used = [], "", 0
    for unit in _UNIT.findall(line):
        width = display_width(_COLOUR.sub("", unit))
        bare = unit.lstrip(" ")
        continued = len(hanging) + width - (len(unit) - len(bare))
        is_command = " " in bare
        if used + width > columns and current.strip(" $") and (is_command or continued <= columns):
            lines.append(current)
            current, used = hanging + bare, continued
        else:
            current += unit
            used = used + width if used + width <= columns else (used + width) % columns
    return "\n".join([*lines, current])


def _hanging(plain: str, columns: int) -> int:
    indent = len(plain) - len(plain.lstrip(" "))
    table = 0
    for match in _GAP.finditer(plain):
        if (end := display_width(plain[: match.end()])) > columns // 3:
            break
        table = end
    if table > indent:
        return table
    return indent if _DEEP < indent <= columns // 3 else min(indent, _DEEP) + _HANGING

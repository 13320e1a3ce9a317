# SPDX-License-Identifier: Apache-2.0
"""Formatting of counts, sizes and shell arguments in messages, and of text from strangers for terminals.

File names, labels, and what registries, bundles and clients say may hold characters that a terminal obeys, or that
show text in another order than it is read. :func:`escaped` and :func:`json_text` show these as escapes; everything
that airgap prints goes through one of them (:mod:`airgap.cli.printing`).
"""

from __future__ import annotations

import json
import os
import re
import shlex

from airgap.i18n import plural as plural_form

#: ESC and the other controls (C0, DEL, C1), the line separators of Unicode, the controls of writing direction (UAX 9,
#: "Directional Formatting Characters"), invisible tags, and halves of surrogate pairs, which stand for bytes of file
#: names that are no UTF-8.
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
_HOSTILE_IN_LINES = re.compile(f"(?!\n|\t|\r\n)(?:{_HOSTILE.pattern})")


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 image`` or ``2 images``. ``plural`` is for nouns whose plural is not formed with an s."""
    return plural_form(f"{{number}} {noun}", f"{{number}} {plural or f'{noun}s'}", number)


def human(count: float) -> str:
    """Return a number of bytes in decimal units: ``1.4 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def quoted(argument: str | os.PathLike[str]) -> str:
    """Return ``argument`` as a POSIX shell reads it back: in quotes where it has blanks or other special characters."""
    return shlex.quote(os.fspath(argument))


def escaped(text: str, *, lines: bool = False) -> str:
    r"""Return ``text`` with each character that a terminal may obey as an escape, such as ``\x1b`` or ``\u202e``.

    ``lines`` keeps line ends (LF and CRLF) and tabs.
    """
    return (_HOSTILE_IN_LINES if lines else _HOSTILE).sub(_python_escape, text)


def json_text(document: object, *, indent: int | None = None) -> str:
    r"""Return ``document`` as JSON in which only characters that a terminal may obey are written as ``\u202e``."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    # In JSON these characters can only be in strings, where json has already escaped those below U+0020.
    return _HOSTILE_IN_LINES.sub(_json_escape, text)


def _python_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f"

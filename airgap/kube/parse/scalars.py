# SPDX-License-Identifier: Apache-2.0
"""One scalar as it stands in a file: its exact value, and which characters of the file make which of the value.

Follows YAML 1.1 as libyaml reads it (folding, chomping, escapes) and RFC 8259 for JSON. A caller compares
``value`` with what the parser said and takes no span from a scalar whose reading differs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

_BREAK = "\r\n|[\r\n\x85\u2028\u2029]"
_BREAKS = re.compile(_BREAK)
_SPACE = re.compile(rf"(?:[ \t]|{_BREAK})+")
_DOUBLE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|[\s\S])")
_JSON_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.")
_HEADER = re.compile(rf"[|>]([-+0-9]*)[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?:{_BREAK})")
_FIRST_LINE = re.compile(r"^( *)[^ \n]", re.MULTILINE)
_PROPERTY = re.compile(rf"(?:[&!][^\s]*|#[^\r\n\x85\u2028\u2029]*|[ \t]|{_BREAK})+")
_ESCAPES = {
    "0": "\0", "a": "\x07", "b": "\x08", "t": "\t", "\t": "\t", "n": "\n", "v": "\x0b", "f": "\x0c", "r": "\r",
    "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip

#: Plain scalars that YAML reads as something other than a string.
NOT_TEXT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0b[01_]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[0-9]+(?::[0-5]?[0-9])+"
    r"|true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
)
NULL = ("", "~", "null", "Null", "NULL")


def skip_properties(text: str) -> int:
    """Where the scalar itself begins: parsers count its anchor and tag (and what lies between) to it."""
    if text[:1] not in ("&", "!"):
        return 0
    found = _PROPERTY.match(text)
    return found.end() if found else 0


class Verbatim(NamedTuple):
    """A scalar that stands in the file as its value reads, ``offset`` characters behind its begin."""

    value: str
    offset: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the text that make ``value[start:end]``."""
        return self.offset + start, self.offset + end


class Decoded:
    """``value``, and pieces ``(value offset, value length, text offset, text length)`` in order.

    A piece of equal lengths is verbatim; any other (an escape, a folded line end) stands or falls as a whole.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int, int, int]] = []
        self._size = 0
        self._value: str | None = None

    @property
    def value(self) -> str:
        """Joined once, when it is complete: a document in it asks for each of its scalars."""
        if self._value is None:
            self._value = "".join(self._parts)
        return self._value

    def add(self, value: str, offset: int, length: int) -> None:
        if value:
            self._parts.append(value)
            self._starts.append(self._size)
            self._pieces.append((self._size, len(value), offset, length))
            self._size += len(value)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the text that make ``value[start:end]``, which is not empty."""
        at, size, offset, length = self._pieces[bisect_right(self._starts, start) - 1]
        first = offset + start - at if size == length else offset
        at, size, offset, length = self._pieces[bisect_right(self._starts, end - 1) - 1]
        last = offset + end - at if size == length else offset + length
        return first, last


def decode(text: str, style: str, expected: str) -> Decoded | Verbatim | None:
    """Read a scalar written ``text`` in ``style``; ``None`` if that does not give ``expected``."""
    if style in ("|", ">"):
        return _block(text, style == "|", expected)
    body, shift = (text[1:-1], 1) if style else (text, 0)
    if body == expected:  # escapes and folds only ever make a value shorter
        return Verbatim(expected, shift)
    decoded = Decoded()
    if style == "json":
        _json(text, decoded)
    else:
        _flow(body, style, shift, decoded)
    return decoded if decoded.value == expected else None


def _json(text: str, decoded: Decoded) -> None:
    import json

    at = 1
    for found in _JSON_ESCAPE.finditer(text, 1, len(text) - 1):
        decoded.add(text[at : found.start()], at, found.start() - at)
        decoded.add(json.loads(f'"{found[0]}"'), found.start(), len(found[0]))
        at = found.end()
    decoded.add(text[at:-1], at, len(text) - 1 - at)


def _flow(body: str, style: str, shift: int, decoded: Decoded) -> None:
    """Plain and quoted scalars: white space with a line end in it folds, the rest is verbatim or an escape."""
    at = 0
    special = re.compile(
        rf"(?P<space>(?:[ \t]|{_BREAK})+)" + (r"|(?P<esc>\\)" if style == '"' else r"|(?P<quote>'')" if style else "")
    )
    while at < len(body):
        found = special.search(body, at)
        begin = found.start() if found else len(body)
        decoded.add(body[at:begin], at + shift, begin - at)
        if found is None:
            return
        at = found.end()
        if found.lastgroup == "space":
            folded = _fold(found[0])
            decoded.add(folded, begin + shift, at - begin)
        elif found.lastgroup == "quote":
            decoded.add("'", begin + shift, 2)
        else:
            at = _escape(body, begin, shift, decoded)


def _fold(space: str) -> str:
    """YAML 1.1, 4.2.4 "line folding": one break becomes a space, further ones stay; Unicode's own breaks stay too."""
    breaks = _BREAKS.findall(space)
    if not breaks:
        return space
    normal = ["\n" if one not in "\u2028\u2029" else one for one in breaks]
    if normal[0] != "\n":
        return "".join(normal)
    return "".join(normal[1:]) or " "


def _escape(body: str, begin: int, shift: int, decoded: Decoded) -> int:
    found = _DOUBLE.match(body, begin)
    if found is None:
        return len(body)
    code = found[0][1:]
    if _BREAKS.fullmatch(code):  # an escaped line end: it and the indentation behind it vanish
        space = _SPACE.match(body, found.end())
        end = space.end() if space else found.end()
        kept = ["\n" if one not in "\u2028\u2029" else one for one in _BREAKS.findall(body[found.end() : end])]
        decoded.add("".join(kept), begin + shift, end - begin)
        return end
    if len(code) > 1:
        number = int(code[1:], 16)
        decoded.add(chr(number) if number < 0x110000 else "\ufffd", begin + shift, len(found[0]))
    else:
        decoded.add(_ESCAPES.get(code, ""), begin + shift, len(found[0]))
    return found.end()


def _block(text: str, literal: bool, expected: str) -> Decoded | None:
    header = _HEADER.match(text)
    if header is None:
        return None
    chomp = "-" if "-" in header[1] else "+" if "+" in header[1] else ""
    lines = _lines(text, header.end())
    written = next((line for line in (text[begin:end] for begin, end, _ in lines) if line.strip(" ")), None)
    read = _FIRST_LINE.search(expected)
    if written is None or read is None:
        return None
    # The indentation may count from the parent's (an indicator), which does not stand here: it is what the first
    # line that holds something has lost.
    indent = len(written) - len(written.lstrip(" ")) - len(read[1])
    decoded = _block_lines(text, lines, max(indent, 0), literal, chomp)
    return decoded if decoded.value == expected else None


def _lines(text: str, at: int) -> list[tuple[int, int, int]]:
    """Lines as (begin, end, end with its break)."""
    lines = []
    while at < len(text):
        found = _BREAKS.search(text, at)
        end, after = (found.start(), found.end()) if found else (len(text), len(text))
        lines.append((at, end, after))
        at = after
    return lines


def _block_lines(text: str, lines: list[tuple[int, int, int]], indent: int, literal: bool, chomp: str) -> Decoded:
    """YAML 1.1, 9.3: content lines joined by kept or folded breaks, the last ones chomped."""
    decoded = Decoded()
    pending: list[tuple[str, int, int]] = []  # breaks since the last content line, the line's own first
    seen = False
    blank_before = False
    for begin, end, after in lines:
        line = text[begin:end]
        content = line[indent:] if line[:indent].strip(" ") == "" else None
        mark = "" if after == end else "\n" if text[end:after] not in ("\u2028", "\u2029") else text[end:after]
        if content is None:
            break
        if not content:
            pending.append((mark, end, after - end))
            continue
        blank = content[0] in " \t"
        if seen and pending and not literal and pending[0][0] == "\n" and not blank_before and not blank:
            own, *rest = pending
            if rest:
                for one in rest:
                    decoded.add(*one)
            else:
                decoded.add(" ", own[1], begin + indent - own[1])
        else:
            for one in pending:
                decoded.add(*one)
        pending = [(mark, end, after - end)]
        decoded.add(content, begin + indent, end - begin - indent)
        seen, blank_before = True, blank
    if not seen:
        pending.insert(0, ("", 0, 0))
    kept = [] if chomp == "-" else pending if chomp == "+" else pending[:1]
    for one in kept:
        decoded.add(*one)
    return decoded

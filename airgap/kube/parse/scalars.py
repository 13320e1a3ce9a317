# SPDX-License-Identifier: Apache-2.0
"""Decode a scalar's text, and map spans of its value to characters of the text.

Follows YAML 1.1 as libyaml reads it (folding, chomping, escapes), and RFC 8259 for JSON. The decoded value is compared
with the parser's; a scalar for which they differ has no map.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

_BREAK = "\r\n|[\r\n\x85\u2028\u2029]"
_BREAKS = re.compile(_BREAK)
#: Every line break but the line feed.
_ODD_BREAKS = "\r\x85\u2028\u2029"
_SPACE = re.compile("[ \t\r\n\x85\u2028\u2029]+")
_DOUBLE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|[\s\S])")
_JSON_ESCAPE = re.compile(
    r"(?P<run>(?:\\[^u]){1,500})|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}"
)
_HEADER = re.compile(rf"[|>]([-+0-9]*)[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?:{_BREAK})")
_FIRST_LINE = re.compile(r"^( *)[^ \n]", re.MULTILINE)
_PROPERTY = re.compile("[&!][^\\s]*|#[^\r\n\x85\u2028\u2029]*|[ \t\r\n\x85\u2028\u2029]+")
_JSON_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPES = {
    "0": "\0", "a": "\x07", "b": "\x08", "t": "\t", "\t": "\t", "n": "\n", "v": "\x0b", "f": "\x0c", "r": "\r",
    "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip

_BLANKS = "(?P<space>[ \t\r\n\x85\u2028\u2029]+)"
#: What is not verbatim in a plain scalar, and between each kind of quotes. A run are escapes of two characters each; it
#: has a limit, because each repetition of a group costs memory.
_SPECIAL = {
    "": re.compile(_BLANKS),
    "'": re.compile(rf"{_BLANKS}|(?P<quotes>(?:''){{1,500}})"),
    '"': re.compile(rf"{_BLANKS}|(?P<run>(?:\\[{re.escape(''.join(_ESCAPES))}]){{1,500}})|(?P<escape>\\)"),
}

#: Plain scalars that YAML reads as a number or a boolean.
NOT_TEXT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0b[01_]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[0-9]+(?::[0-5]?[0-9])+"
    r"|true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
)
NULL = ("", "~", "null", "Null", "NULL")


def skip_properties(text: str) -> int:
    """Return the offset after anchor, tag and comments, which a parser counts as part of the scalar."""
    end = 0
    if text[:1] in ("&", "!"):
        while part := _PROPERTY.match(text, end):
            end = part.end()
    return end


class Verbatim(NamedTuple):
    """A scalar whose value is in its text unchanged, from character ``offset`` on."""

    value: str
    offset: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters of the text that make ``value[start:end]``."""
        return self.offset + start, self.offset + end


class Decoded:
    """A decoded value, and the pieces of text that it is made of.

    A piece has an offset and a length in the value, and both in the text. With equal lengths it is verbatim. With twice
    the length in the text it is a run of escapes of two characters, as documents inside documents have them by the
    thousand. Any other piece, a longer escape or a folded line end, is indivisible.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._starts, self._offsets, self._lengths = array("Q"), array("Q"), array("Q")
        self._size = 0
        self._value: str | None = None

    @property
    def value(self) -> str:
        """The whole value, joined once; nothing can be added afterwards."""
        if self._value is None:
            self._value = "".join(self._parts)
            self._parts.clear()
        return self._value

    def add(self, value: str, offset: int, length: int) -> None:
        """Append ``value``, which ``length`` characters of the text from ``offset`` on decode to."""
        if value:
            self._parts.append(value)
            self._starts.append(self._size)
            self._offsets.append(offset)
            self._lengths.append(length)
            self._size += len(value)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters of the text that make ``value[start:end]``, which is not empty."""
        value_offset, size, offset, length = self._piece_at(start)
        factor = length // size if length in (size, 2 * size) else 0
        text_start = offset + factor * (start - value_offset)
        value_offset, size, offset, length = self._piece_at(end - 1)
        factor = length // size if length in (size, 2 * size) else 0
        text_end = offset + factor * (end - value_offset) if factor else offset + length
        return text_start, text_end

    def _piece_at(self, place: int) -> tuple[int, int, int, int]:
        """The piece of the value's character ``place``: offset and length in the value, then in the text."""
        index = bisect_right(self._starts, place) - 1
        start = self._starts[index]
        end = self._starts[index + 1] if index + 1 < len(self._starts) else self._size
        return start, end - start, self._offsets[index], self._lengths[index]


class Lines(NamedTuple):
    """A literal block scalar with plain line feeds: each line of its value is in the text, behind the indentation.

    ``starts`` are the offsets of the lines in the value, ``offsets`` those in the text.
    """

    value: str
    starts: list[int]
    offsets: list[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters of the text that make ``value[start:end]``, which is not empty."""
        starts = self.starts
        line = bisect_right(starts, start) - 1
        shift = self.offsets[line] - starts[line]
        if line + 1 < len(starts) and end > starts[line + 1]:
            line = bisect_right(starts, end - 1) - 1
            return start + shift, end + self.offsets[line] - starts[line]
        return start + shift, end + shift


#: The map from a value to its text.
ValueMap = Decoded | Verbatim | Lines


def decode(text: str, style: str, expected: str) -> ValueMap | None:
    """Decode ``text``, a scalar in ``style``. Returns ``None`` if its value is not ``expected``."""
    if style in ("|", ">"):
        return _decode_block(text, style == "|", expected)
    body, shift = (text[1:-1], 1) if style else (text, 0)
    if body == expected:  # decoding only makes a value shorter, so nothing was decoded
        return Verbatim(expected, shift)
    decoded = Decoded()
    if style == "json":
        _decode_json(text, decoded)
    else:
        _decode_flow(body, style, shift, decoded)
    return decoded if decoded.value == expected else None


def _decode_json(text: str, decoded: Decoded) -> None:
    import json

    position = 1
    for escape in _JSON_ESCAPE.finditer(text, 1, len(text) - 1):
        decoded.add(text[position : escape.start()], position, escape.start() - position)
        if escape.lastgroup == "run":
            value = "".join(map(_JSON_ESCAPES.__getitem__, escape[0][1::2]))
        else:
            value = json.loads(f'"{escape[0]}"')
        decoded.add(value, escape.start(), len(escape[0]))
        position = escape.end()
    decoded.add(text[position:-1], position, len(text) - 1 - position)


def _decode_flow(body: str, style: str, shift: int, decoded: Decoded) -> None:
    """Decode a plain or quoted scalar: fold white space with a line end, decode escapes, copy the rest."""
    position = 0
    special = _SPECIAL[style]
    while position < len(body):
        match = special.search(body, position)
        begin = match.start() if match else len(body)
        decoded.add(body[position:begin], position + shift, begin - position)
        if match is None:
            return
        position = match.end()
        if match.lastgroup == "space":
            folded = _fold(match[0])
            decoded.add(folded, begin + shift, position - begin)
        elif match.lastgroup == "quotes":
            decoded.add("'" * ((position - begin) // 2), begin + shift, position - begin)
        elif match.lastgroup == "run":
            value = "".join(map(_ESCAPES.__getitem__, match[0][1::2]))
            decoded.add(value, begin + shift, position - begin)
        else:
            position = _decode_escape(body, begin, shift, decoded)


def _fold(space: str) -> str:
    """YAML 1.1, 4.2.4 "line folding": one break becomes a space, further breaks and Unicode's own breaks stay."""
    breaks = _BREAKS.findall(space)
    if not breaks:
        return space
    normal = [_normalised(line_break) for line_break in breaks]
    if normal[0] != "\n":
        return "".join(normal)
    return "".join(normal[1:]) or " "


def _normalised(line_break: str) -> str:
    """YAML reads every line break as a line feed, except Unicode's own two."""
    return line_break if line_break in "\u2028\u2029" else "\n"


def _decode_escape(body: str, begin: int, shift: int, decoded: Decoded) -> int:
    """Decode the escape at ``begin`` and return the offset after it."""
    escape = _DOUBLE.match(body, begin)
    if escape is None:
        return len(body)
    code = escape[0][1:]
    if _BREAKS.fullmatch(code):  # an escaped line end is removed with the indentation after it
        space = _SPACE.match(body, escape.end())
        end = space.end() if space else escape.end()
        kept = [_normalised(line_break) for line_break in _BREAKS.findall(body[escape.end() : end])]
        decoded.add("".join(kept), begin + shift, end - begin)
        return end
    if len(code) > 1:
        number = int(code[1:], 16)
        decoded.add(chr(number) if number < 0x110000 else "\ufffd", begin + shift, len(escape[0]))
    else:
        decoded.add(_ESCAPES.get(code, ""), begin + shift, len(escape[0]))
    return escape.end()


def _decode_block(text: str, literal: bool, expected: str) -> Decoded | Lines | None:
    header = _HEADER.match(text)
    if header is None:
        return None
    if literal and not any(line_break in text for line_break in _ODD_BREAKS):
        by_line = _literal_lines(text, header.end(), expected)
        if by_line is not None:
            return by_line
    chomp = "-" if "-" in header[1] else "+" if "+" in header[1] else ""
    lines = _lines(text, header.end())
    first_line = next((line for line in (text[begin:end] for begin, end, _ in lines) if line.strip(" ")), None)
    first_value_line = _FIRST_LINE.search(expected)
    if first_line is None or first_value_line is None:
        return None
    # An indentation indicator counts from the parent, which is not known here. The indentation is therefore what the
    # first non-blank line lost in the parser's value.
    indent = len(first_line) - len(first_line.lstrip(" ")) - len(first_value_line[1])
    decoded = _block_lines(text, lines, max(indent, 0), literal, chomp)
    return decoded if decoded.value == expected else None


def _literal_lines(text: str, first: int, expected: str) -> Lines | None:
    """The map of a literal block whose only line breaks are line feeds; ``None`` if its value is not ``expected``."""
    lines = text[first:].split("\n")
    first_line = next((line for line in lines if line.strip(" ")), None)
    first_value_line = _FIRST_LINE.search(expected)
    if first_line is None or first_value_line is None:
        return None
    indent = max(len(first_line) - len(first_line.lstrip(" ")) - len(first_value_line[1]), 0)
    contents = [line[indent:] for line in lines]
    value = "\n".join(contents)
    if not value.startswith(expected):  # chomping leaves out line feeds at the end
        return None
    starts = [0, *accumulate([len(content) + 1 for content in contents])]
    ends = accumulate([len(line) + 1 for line in lines], initial=first - 1)
    next(ends)
    offsets = [end - len(content) for end, content in zip(ends, contents, strict=True)]
    return Lines(expected, starts[:-1], offsets)


def _lines(text: str, start: int) -> list[tuple[int, int, int]]:
    """The lines from offset ``start`` on, as (begin, end, end with line break)."""
    lines = []
    while start < len(text):
        line_break = _BREAKS.search(text, start)
        end, after = (line_break.start(), line_break.end()) if line_break else (len(text), len(text))
        lines.append((start, end, after))
        start = after
    return lines


def _block_lines(text: str, lines: list[tuple[int, int, int]], indent: int, literal: bool, chomp: str) -> Decoded:
    """YAML 1.1, 9.3: join content lines by kept or folded breaks, and chomp the last breaks."""
    decoded = Decoded()
    pending: list[tuple[str, int, int]] = []  # the line breaks since the last content line, beginning with its own
    seen = False
    was_indented = False
    for begin, end, after in lines:
        line = text[begin:end]
        content = line[indent:] if line[:indent].strip(" ") == "" else None
        line_break = "" if after == end else _normalised(text[end:after])
        if content is None:
            break
        if not content:
            pending.append((line_break, end, after - end))
            continue
        is_indented = content[0] in " \t"
        if seen and pending and not literal and pending[0][0] == "\n" and not was_indented and not is_indented:
            own, *rest = pending
            if rest:
                for pending_break in rest:
                    decoded.add(*pending_break)
            else:
                decoded.add(" ", own[1], begin + indent - own[1])
        else:
            for pending_break in pending:
                decoded.add(*pending_break)
        pending = [(line_break, end, after - end)]
        decoded.add(content, begin + indent, end - begin - indent)
        seen, was_indented = True, is_indented
    if not seen:
        pending.insert(0, ("", 0, 0))
    kept = [] if chomp == "-" else pending if chomp == "+" else pending[:1]
    for pending_break in kept:
        decoded.add(*pending_break)
    return decoded

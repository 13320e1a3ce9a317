# SPDX-License-Identifier: Apache-2.0
"""Parse JSON into events, with offsets in bytes. PyYAML refuses escapes that JSON allows, such as ``\\/``.

The parser is strict (RFC 8259), except that a file may contain several values, as ``kubectl`` accepts. It raises
NotJSON for anything else, and the file is then read as YAML. It keeps one byte per level and does not recurse.
"""

from __future__ import annotations

import re

from airgap.kube.parse.events import DOCUMENT, DOCUMENT_END, END, MAPPING, SCALAR, SEQUENCE, Events
from airgap.kube.parse.source import Source

_TOKEN = re.compile(
    rb"[ \t\r\n]*(?:(,)[ \t\r\n]*)?(?:"
    rb'("[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*){0,100}(?:(")|(?=\\)))([ \t\r\n]*:)?'
    rb"|([{}\[\]])"
    rb"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null)"
    rb")"
)
#: The next piece of a string with more escapes: each repetition of a group costs memory.
_MORE = re.compile(rb'(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*){1,500}("[ \t\r\n]*(:)?)?')
_STRING_GROUP, _QUOTE_GROUP, _COLON_GROUP, _BRACKET_GROUP = 2, 3, 4, 5
_BRACE, _BRACKET = b"{["
_BLANK = re.compile(rb"[ \t\r\n]*")
_VALUE_BEGINS = re.compile(rb"[ \t\r\n]*[{\[]")
# The states: what may come next.
_VALUE, _FIRST_KEY, _KEY, _FIRST_ITEM, _AFTER = range(5)


class NotJSON(Exception):
    """The body is not JSON from offset ``byte`` on."""

    def __init__(self, byte: int) -> None:
        super().__init__(byte)
        self.byte = byte


def could_be(source: Source) -> bool:
    """Return whether the body begins like a JSON object or array."""
    return _VALUE_BEGINS.match(source.body) is not None


def parse(source: Source) -> Events:
    """Yield the events of ``source``. Raises NotJSON at the first byte that is not valid."""
    import json

    body = source.body
    match = _TOKEN.match
    size = len(body)
    position = 0
    stack = bytearray()  # { or [ for each level
    state = _VALUE
    while True:
        if not stack:
            if state == _AFTER:
                yield DOCUMENT_END, "", position, 0, "", None, None
                state = _VALUE
            blank = _BLANK.match(body, position)
            position = blank.end() if blank else position
            if position == size:
                return
            yield DOCUMENT, "", position, 0, "", None, None
        token = match(body, position)
        if token is None:
            raise NotJSON(position)
        if token[1]:
            if state != _AFTER or not stack:
                raise NotJSON(token.start(1))
            state = _KEY if stack[-1] == _BRACE else _VALUE
        group = token.lastindex
        if group in (_COLON_GROUP, _STRING_GROUP):
            start, position = token.span(_STRING_GROUP)
            end = token.end()
            if token[_QUOTE_GROUP] is None:
                position, end, group = _rest_of_string(body, position)
            raw = body[start:position]
            value = json.loads(raw) if b"\\" in raw else raw[1:-1].decode()
            if group == _STRING_GROUP and state in (_VALUE, _FIRST_ITEM):
                state = _AFTER
            elif group == _COLON_GROUP and state in (_KEY, _FIRST_KEY):
                state = _VALUE
            else:
                raise NotJSON(start)
            yield SCALAR, value, start, position, "json", None, None
            position = end
        elif group == _BRACKET_GROUP:
            start, position = token.span(_BRACKET_GROUP)
            bracket = body[start]
            if bracket in (_BRACE, _BRACKET):
                if state not in (_VALUE, _FIRST_ITEM):
                    raise NotJSON(start)
                stack.append(bracket)
                state = _FIRST_KEY if bracket == _BRACE else _FIRST_ITEM
                yield MAPPING if bracket == _BRACE else SEQUENCE, "", start, 0, "flow", None, None
            else:
                # In ASCII a closing bracket is its opening one plus 2. It may not follow a comma or a colon.
                opening = stack.pop() if stack else 0
                if bracket != opening + 2 or state not in (_AFTER, _FIRST_KEY if opening == _BRACE else _FIRST_ITEM):
                    raise NotJSON(start)
                state = _AFTER
                yield END, "", start, position, "", None, None
        else:
            start, position = token.span(token.lastindex or 0)
            if state not in (_VALUE, _FIRST_ITEM):
                raise NotJSON(start)
            state = _AFTER
            yield SCALAR, body[start:position].decode(), start, position, "", None, None


def _rest_of_string(body: bytes, position: int) -> tuple[int, int, int]:
    """Return where a string of many escapes ends, and where the token ends; the last item is the token's group."""
    while more := _MORE.match(body, position):
        position = more.end()
        if more[1]:
            return more.start(1) + 1, position, _COLON_GROUP if more[2] else _STRING_GROUP
    raise NotJSON(position)

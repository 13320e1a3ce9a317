# SPDX-License-Identifier: Apache-2.0
"""JSON as the same events, with positions in bytes: PyYAML refuses escapes that JSON allows, such as ``\\/``.

Strict RFC 8259, several values one after another allowed (``kubectl`` takes such streams). Whatever is not JSON
ends in NotJSON, and the file is read as YAML instead. Keeps a stack of one byte a level, never recurses.
"""

from __future__ import annotations

import re

from airgap.kube.parse.events import DOCUMENT, DOCUMENT_END, END, MAPPING, SCALAR, SEQUENCE, Events
from airgap.kube.parse.source import Source

_TOKEN = re.compile(
    rb"[ \t\r\n]*(?:(,)[ \t\r\n]*)?(?:"
    rb'("[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")([ \t\r\n]*:)?'
    rb"|([{}\[\]])"
    rb"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null)"
    rb")"
)
_STRING, _COLON, _MARK = 2, 3, 4
_BRACE, _BRACKET = b"{["
_BLANK = re.compile(rb"[ \t\r\n]*")
_VALUE_BEGINS = re.compile(rb"[ \t\r\n]*[{\[]")
# What may come next.
_VALUE, _FIRST_KEY, _KEY, _FIRST_ITEM, _AFTER = range(5)


class NotJSON(Exception):
    """``byte`` is where it stops being JSON."""

    def __init__(self, byte: int) -> None:
        super().__init__(byte)
        self.byte = byte


def could_be(source: Source) -> bool:
    """Whether it begins as a JSON object or array; only then is it worth trying."""
    return _VALUE_BEGINS.match(source.body) is not None


def parse(source: Source) -> Events:
    """Yield the events of ``source``; raise NotJSON at the first byte that JSON does not allow."""
    import json

    body = source.body
    match = _TOKEN.match
    size = len(body)
    at = 0
    stack = bytearray()  # { or [ for each level
    state = _VALUE
    while True:
        if not stack:
            if state == _AFTER:
                yield DOCUMENT_END, "", at, 0, "", None, None
                state = _VALUE
            blank = _BLANK.match(body, at)
            at = blank.end() if blank else at
            if at == size:
                return
            yield DOCUMENT, "", at, 0, "", None, None
        found = match(body, at)
        if found is None:
            raise NotJSON(at)
        if found[1]:
            if state != _AFTER or not stack:
                raise NotJSON(found.start(1))
            state = _KEY if stack[-1] == _BRACE else _VALUE
        which = found.lastindex
        if which in (_COLON, _STRING):
            start, at = found.span(_STRING)
            raw = found[_STRING]
            value = json.loads(raw) if b"\\" in raw else raw[1:-1].decode()
            if which == _STRING and state in (_VALUE, _FIRST_ITEM):
                state = _AFTER
            elif which == _COLON and state in (_KEY, _FIRST_KEY):
                state = _VALUE
            else:
                raise NotJSON(start)
            yield SCALAR, value, start, at, "json", None, None
            at = found.end()
        elif which == _MARK:
            start, at = found.span(_MARK)
            mark = body[start]
            if mark in (_BRACE, _BRACKET):
                if state not in (_VALUE, _FIRST_ITEM):
                    raise NotJSON(start)
                stack.append(mark)
                state = _FIRST_KEY if mark == _BRACE else _FIRST_ITEM
                yield MAPPING if mark == _BRACE else SEQUENCE, "", start, 0, "flow", None, None
            else:
                # Two more than its opening one, in ASCII; nothing may be missing behind a comma or a colon.
                opened = stack.pop() if stack else 0
                if mark != opened + 2 or state not in (_AFTER, _FIRST_KEY if opened == _BRACE else _FIRST_ITEM):
                    raise NotJSON(start)
                state = _AFTER
                yield END, "", start, at, "", None, None
        else:
            start, at = found.span(found.lastindex or 0)
            if state not in (_VALUE, _FIRST_ITEM):
                raise NotJSON(start)
            state = _AFTER
            yield SCALAR, body[start:at].decode(), start, at, "", None, None

# SPDX-License-Identifier: Apache-2.0
"""JSON as the same events, with positions in bytes: PyYAML refuses escapes that JSON allows, such as ``\\/``.

Strict RFC 8259, several values one after another allowed (``kubectl`` takes such streams). Whatever is not JSON
ends in NotJSON, and the file is read as YAML instead. Keeps a stack of one byte a level, never recurses.
"""

from __future__ import annotations

import json
import re

from airgap.kube.events import DOCUMENT, DOCUMENT_END, END, MAPPING, SCALAR, SEQUENCE, Events
from airgap.kube.source import Source

_TOKEN = re.compile(
    rb"[ \t\r\n]*(?:"
    rb'(?P<string>"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")'
    rb"|(?P<mark>[{}\[\],:])"
    rb"|(?P<other>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null)"
    rb")"
)
_BLANK = re.compile(rb"[ \t\r\n]*")
_VALUE_BEGINS = re.compile(rb"[ \t\r\n]*[{\[]")
# What may come next.
_VALUE, _FIRST_KEY, _KEY, _COLON, _FIRST_ITEM, _AFTER = range(6)


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
    body = source.body
    match = _TOKEN.match
    size = len(body)
    at = 0
    stack = bytearray()  # 0x7b or 0x5b a level
    state = _VALUE
    while True:
        if not stack and state == _AFTER:
            yield DOCUMENT_END, "", at, 0, "", None, None
            state = _VALUE
        if not stack:
            blank = _BLANK.match(body, at)
            at = blank.end() if blank else at
            if at == size:
                return
            yield DOCUMENT, "", at, 0, "", None, None
        found = match(body, at)
        if found is None:
            raise NotJSON(at)
        at = found.end()
        group = found.lastgroup
        start = found.start(group or 0)
        if group == "string":
            raw = found["string"]
            value = json.loads(raw) if b"\\" in raw else raw[1:-1].decode()
            if state in (_VALUE, _FIRST_ITEM):
                state = _AFTER
            elif state in (_KEY, _FIRST_KEY):
                state = _COLON
            else:
                raise NotJSON(start)
            yield SCALAR, value, start, at, "json", None, None
        elif group == "other":
            if state not in (_VALUE, _FIRST_ITEM):
                raise NotJSON(start)
            state = _AFTER
            yield SCALAR, found["other"].decode(), start, at, "", None, None
        else:
            mark = body[start]
            if mark == 0x2C and state == _AFTER and stack:  # ,
                state = _KEY if stack[-1] == 0x7B else _VALUE
            elif mark == 0x3A and state == _COLON:  # :
                state = _VALUE
            elif mark in (0x7B, 0x5B) and state in (_VALUE, _FIRST_ITEM):  # { [
                stack.append(mark)
                state = _FIRST_KEY if mark == 0x7B else _FIRST_ITEM
                yield MAPPING if mark == 0x7B else SEQUENCE, "", start, 0, "flow", None, None
            elif (mark == 0x7D and stack and stack[-1] == 0x7B and state in (_AFTER, _FIRST_KEY)) or (
                mark == 0x5D and stack and stack[-1] == 0x5B and state in (_AFTER, _FIRST_ITEM)
            ):  # } ]
                stack.pop()
                state = _AFTER
                yield END, "", 0, 0, "", None, None
            else:
                raise NotJSON(start)

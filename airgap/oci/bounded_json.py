# SPDX-License-Identifier: Apache-2.0
"""JSON from strangers: the work and memory of reading it are bounded before it is read.

A few megabytes of JSON can become hundreds of megabytes of objects. So the signs that begin a value are counted in the
text first, which takes no memory, and a document with too many of them, or too many inside each other, is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from airgap.errors import ContentError
from airgap.i18n import tr

#: Brackets inside each other. The documents of the OCI specifications have at most 6.
MAX_DEPTH = 32
# A string without an end is taken to the end of the text, so that each byte is looked at once.
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def loads(content: bytes, *, values: int, depth: int = MAX_DEPTH, where: str | None = None) -> Any:
    """Parse JSON within the bounds of :func:`check`. Raises :class:`ContentError`."""
    check(content, values=values, depth=depth, where=where)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ContentError(tr("not JSON ({error})", error=error), where=where) from error


def check(content: bytes, *, values: int, depth: int = MAX_DEPTH, where: str | None = None) -> None:
    """Raise :class:`ContentError` for JSON of more than ``values`` values, or more than ``depth`` inside each other.

    Commas and opening brackets are counted, those in strings too.
    """
    found = count_values(content)
    if found > values:
        raise ContentError(
            tr("JSON with {found:,} values; at most {values:,} are read", found=found, values=values), where=where
        )
    if _is_deeper(content, depth):
        raise ContentError(tr("JSON more than {depth} levels deep", depth=depth), where=where)


def count_values(content: bytes) -> int:
    """Return how many commas and opening brackets there are: no document has more values than this and one."""
    return content.count(b",") + content.count(b"[") + content.count(b"{")


def _is_deeper(content: bytes, limit: int) -> bool:
    brackets = content.translate(None, _NO_BRACKETS)
    if not _depth_exceeds(brackets, limit):
        return False
    # Brackets inside strings were counted too. Now without them.
    return _depth_exceeds((match[0][0] for match in _STRING_OR_BRACKET.finditer(content)), limit)


def _depth_exceeds(signs: Iterable[int], limit: int) -> bool:
    depth = 0
    for sign in signs:
        if sign in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif sign in b"]}":
            depth -= 1
    return False

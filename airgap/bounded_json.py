# SPDX-License-Identifier: Apache-2.0
"""JSON from outside: the work and memory of reading it are bounded before it is read.

A few megabytes of JSON can become hundreds of megabytes of objects. So the signs that begin a value are counted in the
text first, which takes no memory, and a document with too many of them, or too many inside each other, is refused.
All documents that were not written by the running process go through this module: :func:`parse` for those whose limits
are in the table (``airgap/limits.py``), :func:`loads` for those whose bounds the caller knows.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from airgap import limits
from airgap.errors import ContentError
from airgap.i18n import tr

#: Brackets inside each other. The documents of the OCI specifications have at most 6.
MAX_DEPTH = 32
# Without its escapes. A string without an end is taken to the end of the text, so that each byte is looked at once.
_STRING_OR_BRACKET = re.compile(rb'"[^"]*"?|[\[\]{}]')
#: Bytes from which on documents are parsed one at a time.
_LARGE = 128 * 1024
_large_documents = threading.RLock()
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class TooLarge(ContentError):
    """JSON that is larger than a limit; :class:`ContentError` itself is raised for what is no JSON."""


def parse(content: bytes, kind: str, *, where: str | None = None) -> Any:
    """Parse JSON within the limits ``KIND-bytes``, ``KIND-values`` (if there is one) and ``json-depth`` of the table.

    Raises :class:`TooLarge` past one of them, with the hint that names it, and :class:`ContentError` for what is no
    JSON in UTF-8.
    """
    check_kind(content, kind, where=where)
    return _load(content, where)


def check_kind(content: bytes, kind: str, *, where: str | None = None) -> None:
    """Raise :class:`TooLarge` for what :func:`parse` would refuse as too large."""
    most_bytes = limits.value(f"{kind}-bytes")
    if len(content) > most_bytes:
        raise TooLarge(
            tr("JSON of {size:,} bytes; at most {limit:,} are read", size=len(content), limit=most_bytes),
            where=where,
            hint=limits.hint(f"{kind}-bytes"),
        )
    values_limit = f"{kind}-values"
    if limits.has(values_limit):
        _check_values(content, limits.value(values_limit), where, limits.hint(values_limit))
    _check_depth(content, limits.value("json-depth"), where, limits.hint("json-depth"))


def loads(content: bytes, *, values: int, depth: int = MAX_DEPTH, where: str | None = None) -> Any:
    """Parse JSON in UTF-8 within the bounds of :func:`check`. Raises :class:`ContentError`."""
    check(content, values=values, depth=depth, where=where)
    return _load(content, where)


def check(content: bytes, *, values: int, depth: int = MAX_DEPTH, where: str | None = None) -> None:
    """Raise :class:`TooLarge` for JSON of more than ``values`` values, or more than ``depth`` inside each other.

    Commas and opening brackets are counted, those in strings too.
    """
    _check_values(content, values, where, None)
    _check_depth(content, depth, where, None)


def one_at_a_time(size: int | None) -> AbstractContextManager[object]:
    """Return a context in which only one document larger than usual is handled; nothing for one of a usual ``size``.

    Such a document takes many times its length while it is parsed. ``None`` is a size that is not known.
    """
    return contextlib.nullcontext() if size is not None and size <= _LARGE else _large_documents


def count_values(content: bytes) -> int:
    """Return how many commas and opening brackets there are: no document has more values than this and one."""
    return content.count(b",") + content.count(b"[") + content.count(b"{")


def is_deeper(content: bytes, limit: int) -> bool:
    """Whether JSON has more than ``limit`` brackets inside each other."""
    brackets = content.translate(None, _NO_BRACKETS)
    if not _depth_exceeds(brackets, limit):
        return False
    # Brackets inside strings were counted too. Now without them.
    plain = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    return _depth_exceeds((match[0][0] for match in _STRING_OR_BRACKET.finditer(plain)), limit)


def _check_values(content: bytes, limit: int, where: str | None, hint: str | None) -> None:
    found = count_values(content)
    if found > limit:
        raise TooLarge(
            tr("JSON with {found:,} values; at most {values:,} are read", found=found, values=limit),
            where=where,
            hint=hint,
        )


def _check_depth(content: bytes, limit: int, where: str | None, hint: str | None) -> None:
    if is_deeper(content, limit):
        raise TooLarge(tr("JSON more than {depth} levels deep", depth=limit), where=where, hint=hint)


def _load(content: bytes, where: str | None) -> Any:
    try:
        # Not json.loads(bytes), which takes UTF-16 too: its brackets would not have been counted.
        with one_at_a_time(len(content)):
            return json.loads(str(content, "utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # "from None", because the cause holds the whole text, which may be large or secret.
        raise ContentError(tr("not JSON ({error})", error=error), where=where) from None


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

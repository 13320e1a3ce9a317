# SPDX-License-Identifier: Apache-2.0
"""Large JSON documents from outside, read entry by entry: memory holds one entry, never the document.

The limits ``document-bytes``, ``document-values``, ``document-entry-bytes``, ``document-entry-values`` and
``json-depth`` of the table (``airgap/limits.py``) bound the work before it is done. Small documents are read whole by
``airgap/bounded_json.py``.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from airgap import bounded_json, limits
from airgap.bounded_json import TooLarge
from airgap.errors import ContentError
from airgap.i18n import tr

#: Bytes that are read at once.
_PIECE = 256 * 1024
#: Characters of a value up to which it is worth a look whether all are ASCII.
_SMALL = 16 * 1024
#: Bytes that a character of a string takes at most.
WIDEST = 4
_SPACES = " \t\n\r"
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
#: What may stand behind a value, or behind a key.
_FOLLOWS = frozenset(",]}: \t\n\r")

Pread = Callable[[int, int], bytes]
"""``pread(count, offset)`` returns up to ``count`` bytes of the document from ``offset``, none only at its end."""


class JsonStream:
    """A document of which each value is taken in turn: :meth:`value` whole, or entry by entry.

    ``size`` is the document's, where it is known: one that is too large is then not begun. ``watch`` is called with
    each piece of the document, in order. ``entry_memory`` is what the characters of the last value take at most in
    memory, in bytes. All methods raise :class:`TooLarge` past a limit, with the hint that names
    it, and :class:`ContentError` for what is no JSON in UTF-8.
    """

    def __init__(
        self, pread: Pread, *, size: int | None = None, watch: Callable[[bytes], object] | None = None
    ) -> None:
        self.entry_memory = 0
        self._size = size
        self._pread = pread
        self._watch = watch
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._offset = 0
        self._values = 0
        self._ended = False
        # The text that was read and not yet taken begins at _at; _dropped characters and _lines were before _text.
        self._text = ""
        self._at = 0
        self._dropped = 0
        self._lines = 0
        self._line_start = 0
        self._depth = 0
        self._most_bytes = limits.value("document-bytes")
        self._most_values = limits.value("document-values")
        self._most_entry_bytes = limits.value("document-entry-bytes")
        self._most_entry_values = limits.value("document-entry-values")
        self._most_depth = limits.value("json-depth")

    def peek(self) -> str:
        """Return the first character of the next value, or what follows the last one; empty at the end."""
        while True:
            found = self._text[self._at : self._at + 1]
            if found and found not in _SPACES:
                return found
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at == len(self._text) and not self._fill():
                return ""

    def value(self) -> Any:
        """Return the next value."""
        self.peek()
        while True:
            problem, position = "", self._at
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                following = self._text[end : end + 1]
                if following in _FOLLOWS if following else self._ended:
                    break
                problem, position = tr("{sign!r} is missing", sign=","), end
            except json.JSONDecodeError as error:
                problem, position = error.msg, error.pos
            except RecursionError:
                raise self._too_deep() from None
            except ValueError as error:  # a number of very many digits
                raise ContentError(tr("not JSON ({error})", error=error)) from None
            # It may go on in the next piece.
            self._check_size(len(self._text))
            if not self._fill():
                raise self._invalid(problem, position)
        self._check(value, end)
        self._at = end
        return value

    def elements(self) -> Iterator[Any]:
        """Iterate over the values of the list that comes next."""
        self._enter("[")
        if self.peek() == "]":
            self._leave()
            return
        while True:
            yield self.value()
            if self._is_last("]"):
                return

    def names(self) -> Iterator[str]:
        """Iterate over the names in the object that comes next. What the caller does not read of a value is skipped."""
        self._enter("{")
        if self.peek() == "}":
            self._leave()
            return
        while True:
            if self.peek() != '"':
                raise self._invalid(tr("a name in double quotes is missing"), self._at)
            key = self.value()
            if self.peek() != ":":
                raise self._invalid(tr("{sign!r} is missing", sign=":"), self._at)
            self._at += 1
            self.peek()
            before = self._dropped + self._at
            yield key
            if before == self._dropped + self._at:
                self.skip()
            if self._is_last("}"):
                return

    def skip(self) -> None:
        """Pass over the next value."""
        begin = self.peek()
        if begin == "[":
            for _ in self.elements():
                pass
        elif begin == "{":
            for _ in self.names():
                self.value()
        else:
            self.value()

    def end(self) -> None:
        """Raise :class:`ContentError` unless only white space is left."""
        if self.peek():
            raise self._invalid(tr("there is something behind its end"), self._at)

    def _enter(self, bracket: str) -> None:
        found = self.peek()
        if found != bracket:
            raise self._invalid(tr("this is no object") if bracket == "{" else tr("this is no list"), self._at)
        self._depth += 1
        if self._depth > self._most_depth:
            raise self._too_deep()
        self._at += 1

    def _leave(self) -> None:
        self._depth -= 1
        self._at += 1

    def _is_last(self, bracket: str) -> bool:
        """Pass over what follows a value: a comma, or the closing ``bracket``."""
        found = self.peek()
        if found == bracket:
            self._leave()
            return True
        if found != ",":
            raise self._invalid(tr("{sign!r} is missing", sign=","), self._at)
        self._at += 1
        return False

    def _fill(self) -> bool:
        """Read one piece more; return whether there was one."""
        if self._ended:
            return False
        if self._size is not None and self._size > self._most_bytes:
            raise TooLarge(
                tr("JSON of {size:,} bytes; at most {limit:,} are read", size=self._size, limit=self._most_bytes),
                hint=limits.hint("document-bytes"),
            )
        content = self._pread(_PIECE, self._offset)
        self._ended = not content
        self._offset += len(content)
        if self._offset > self._most_bytes:
            raise TooLarge(
                tr("JSON of more than {limit:,} bytes", limit=self._most_bytes), hint=limits.hint("document-bytes")
            )
        self._values += bounded_json.count_values(content)
        if self._values > self._most_values:
            raise TooLarge(
                tr("JSON with more than {limit:,} values", limit=self._most_values),
                hint=limits.hint("document-values"),
            )
        if content and self._watch is not None:
            self._watch(content)
        self._lines += self._text.count("\n", 0, self._at)
        if (newline := self._text.rfind("\n", 0, self._at)) >= 0:
            self._line_start = self._dropped + newline + 1
        self._dropped += self._at
        try:
            self._text = self._text[self._at :] + self._decode(content, final=self._ended)
        except UnicodeDecodeError as error:
            raise ContentError(tr("not JSON ({error})", error=error)) from None
        self._at = 0
        return True

    def _check(self, value: Any, end: int) -> None:
        """Check the value that was decoded up to ``end``, and set :attr:`entry_memory`."""
        self._check_size(end)
        text = self._text
        size = end - self._at
        escaped = text.find("\\u", self._at, end) >= 0
        narrow = not escaped and (text.isascii() or (size <= _SMALL and text[self._at : end].isascii()))
        self.entry_memory = size if narrow else WIDEST * size
        room = self._most_depth - self._depth
        if text.count("[", self._at, end) + text.count("{", self._at, end) > room and bounded_json.is_deeper(
            text[self._at : end].encode(), room
        ):
            raise self._too_deep()
        if escaped:
            # No UTF-8 can be made of a lone surrogate.
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except ValueError as error:
                raise ContentError(tr("not JSON ({error})", error=error)) from None

    def _check_size(self, end: int) -> None:
        """Raise :class:`TooLarge` if what begins here and reaches ``end`` is too large for one entry."""
        size = end - self._at
        if size > self._most_entry_bytes:
            raise TooLarge(
                tr("JSON with an entry of more than {limit:,} bytes", limit=self._most_entry_bytes),
                hint=limits.hint("document-entry-bytes"),
            )
        if size <= self._most_entry_values:
            return
        if sum(self._text.count(sign, self._at, end) for sign in ",[{") > self._most_entry_values:
            raise TooLarge(
                tr("JSON with an entry of more than {limit:,} values", limit=self._most_entry_values),
                hint=limits.hint("document-entry-values"),
            )

    def _too_deep(self) -> TooLarge:
        return TooLarge(
            tr("JSON more than {depth} levels deep", depth=self._most_depth), hint=limits.hint("json-depth")
        )

    def _invalid(self, problem: str, position: int) -> ContentError:
        """The error for what is at ``position`` of the text, with its place in the document."""
        line = self._lines + self._text.count("\n", 0, position) + 1
        newline = self._text.rfind("\n", 0, position)
        start = self._dropped + newline + 1 if newline >= 0 else self._line_start
        character = self._dropped + position
        error = tr(
            "{problem}: line {line} column {column} (char {character})",
            problem=problem,
            line=line,
            column=character - start + 1,
            character=character,
        )
        return ContentError(tr("not JSON ({error})", error=error))


def pread_of(content: bytes) -> Pread:
    """Return ``pread`` over bytes in memory."""
    return lambda count, offset: content[offset : offset + count]

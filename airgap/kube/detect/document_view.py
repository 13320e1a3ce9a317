# SPDX-License-Identifier: Apache-2.0
"""A document and where its bytes lie in the file: the file itself, or the value of a scalar of another document, to
any depth, whose places are mapped through escapes, folds and indentation.
"""

from __future__ import annotations

from typing import NamedTuple

from airgap.errors import ResourceError
from airgap.kube.detect.walker import Leaf
from airgap.kube.model import Scalar
from airgap.kube.parse import scalars
from airgap.kube.parse.scalars import Decoded, Verbatim
from airgap.kube.parse.source import Source

#: A document in a document in a document: more is no configuration, and each level may double the escapes.
MAX_NESTING = 8


class Read(NamedTuple):
    """A scalar with the map from its value to its text; ``first`` is the character of the text's begin."""

    scalar: Scalar
    decoded: Decoded | Verbatim
    first: int


class Text:
    """``source`` is the document; inside a value, ``holder`` is the scalar and ``outer`` the document it stands in."""

    def __init__(self, source: Source, outer: Text | None = None, holder: Read | None = None) -> None:
        self.source = source
        self.outer = outer
        self.holder = holder
        #: The holder's whole value, joined once: each site in it refers to it.
        self.holder_value = holder.decoded.value if holder else ""
        self.depth: int = outer.depth + 1 if outer else 0
        self.byte_units = False
        self._last: tuple[tuple[int, int, bool], Read | None] = ((-1, -1, False), None)

    def byte(self, unit: int) -> int:
        """The byte of a parser's place."""
        return unit if self.byte_units else self.source.byte_of(unit)

    def read(self, leaf: Leaf) -> Read | None:
        """How ``leaf`` is written; ``None`` where its places cannot be told. The last answer is kept: a value may hold
        as many images as it has lines."""
        place = leaf.start, leaf.end, self.byte_units
        if self._last[0] != place:
            self._last = place, self._read(leaf)
        return self._last[1]

    def _read(self, leaf: Leaf) -> Read | None:
        source = self.source
        first, last = self.byte(leaf.start), self.byte(leaf.end)
        text = source.body[first:last].decode()
        if skip := scalars.skip_properties(text):
            text, start = text[skip:], first + len(text[:skip].encode())
        else:
            start = first
        decoded = scalars.decode(text, leaf.style, leaf.value)
        if decoded is None:
            return None
        outer = self.holder.scalar if self.holder else None
        scalar = Scalar(source.base + start, source.base + last, leaf.style, leaf.flow, outer, self.holder_value)
        return Read(scalar, decoded, source.char_of(start))

    def span(self, read: Read, begin: int, end: int) -> tuple[int, int]:
        """The bytes of this document, behind its byte order mark, that make ``value[begin:end]``, which is not
        empty."""
        left, right = read.decoded.span(begin, end)
        return self.source.byte_of(read.first + left), self.source.byte_of(read.first + right)

    def up(self, start: int, end: int) -> tuple[int, int]:
        """Bytes of this document as bytes of the file."""
        source = self.source
        if self.outer is None or self.holder is None:
            return source.base + start, source.base + end
        shift = 1 if source.base else 0
        return self.outer.up(*self.outer.span(self.holder, source.char_of(start) + shift, source.char_of(end) + shift))

    def inner(self, leaf: Leaf) -> Text | None:
        """The document that ``leaf``'s value is; ``None`` if it cannot be one."""
        if self.depth >= MAX_NESTING:
            return None
        holder = self.read(leaf)
        if holder is None:
            return None
        try:
            return Text(Source(leaf.value.encode(), self.source.file), self, holder)
        except (UnicodeEncodeError, ResourceError):  # lone surrogates, or text that no parser would take
            return None

    @property
    def root(self) -> Source:
        text = self
        while text.outer is not None:
            text = text.outer
        return text.source

# SPDX-License-Identifier: Apache-2.0
"""A document and where its bytes lie in the file: the file itself, or the value of a scalar of another document, to
any depth, whose places are mapped through escapes, folds and indentation.
"""

from __future__ import annotations

from typing import NamedTuple

from airgap.errors import ResourceError
from airgap.kube.detect.walker import ScalarToken
from airgap.kube.model import Scalar
from airgap.kube.parse import scalars
from airgap.kube.parse.scalars import Decoded, Verbatim
from airgap.kube.parse.source import Source

#: A document in a document in a document: more is no configuration, and each level may double the escapes.
MAX_NESTING = 8


class ScalarView(NamedTuple):
    """A scalar with the map from its value to its text; ``first`` is the character of the text's begin."""

    scalar: Scalar
    decoded: Decoded | Verbatim
    first: int


class DocumentView:
    """``source`` is the document; inside a value, ``holder`` is the scalar and ``outer`` the document it stands in."""

    def __init__(self, source: Source, outer: DocumentView | None = None, holder: ScalarView | None = None) -> None:
        self.source = source
        self.outer = outer
        self.holder = holder
        #: The holder's whole value, joined once: each site in it refers to it.
        self.holder_value = holder.decoded.value if holder else ""
        self.depth: int = outer.depth + 1 if outer else 0
        self.byte_units = False
        self._last_view: tuple[tuple[int, int, bool], ScalarView | None] = ((-1, -1, False), None)

    def byte_offset_of(self, unit: int) -> int:
        """The byte of a parser's place."""
        return unit if self.byte_units else self.source.byte_offset(unit)

    def scalar_view(self, token: ScalarToken) -> ScalarView | None:
        """How ``leaf`` is written; ``None`` where its places cannot be told. The last answer is kept: a value may hold
        as many images as it has lines."""
        place = token.start, token.end, self.byte_units
        if self._last_view[0] != place:
            self._last_view = place, self._make_view(token)
        return self._last_view[1]

    def _make_view(self, token: ScalarToken) -> ScalarView | None:
        source = self.source
        first, last = self.byte_offset_of(token.start), self.byte_offset_of(token.end)
        text = source.body[first:last].decode()
        if skip := scalars.skip_properties(text):
            text, start = text[skip:], first + len(text[:skip].encode())
        else:
            start = first
        decoded = scalars.decode(text, token.style, token.value)
        if decoded is None:
            return None
        outer = self.holder.scalar if self.holder else None
        scalar = Scalar(
            source.bom_length + start, source.bom_length + last, token.style, token.flow, outer, self.holder_value
        )
        return ScalarView(scalar, decoded, source.char_index(start))

    def span(self, scalar_view: ScalarView, begin: int, end: int) -> tuple[int, int]:
        """The bytes of this document, behind its byte order mark, that make ``value[begin:end]``, which is not
        empty."""
        left, right = scalar_view.decoded.span(begin, end)
        return self.source.byte_offset(scalar_view.first + left), self.source.byte_offset(scalar_view.first + right)

    def file_span(self, start: int, end: int) -> tuple[int, int]:
        """Bytes of this document as bytes of the file."""
        source = self.source
        if self.outer is None or self.holder is None:
            return source.bom_length + start, source.bom_length + end
        shift = 1 if source.bom_length else 0
        return self.outer.file_span(
            *self.outer.span(self.holder, source.char_index(start) + shift, source.char_index(end) + shift)
        )

    def embedded_view(self, token: ScalarToken) -> DocumentView | None:
        """The document that ``leaf``'s value is; ``None`` if it cannot be one."""
        if self.depth >= MAX_NESTING:
            return None
        holder = self.scalar_view(token)
        if holder is None:
            return None
        try:
            return DocumentView(Source(token.value.encode(), self.source.file), self, holder)
        except (UnicodeEncodeError, ResourceError):  # lone surrogates, or text that no parser would take
            return None

    @property
    def root(self) -> Source:
        text = self
        while text.outer is not None:
            text = text.outer
        return text.source

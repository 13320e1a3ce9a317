# SPDX-License-Identifier: Apache-2.0
"""A document and the map from its bytes to the file's.

A document is the file itself, or the value of a scalar in another document, to any depth. The offsets of an embedded
document are mapped through the escapes, folds and indentation of the scalar that holds it.
"""

from __future__ import annotations

from typing import NamedTuple

from airgap.errors import ResourceError
from airgap.kube.detect.nodes import ScalarToken
from airgap.kube.model import Scalar
from airgap.kube.parse import scalars
from airgap.kube.parse.budget import LINE, PIECE, Budget
from airgap.kube.parse.scalars import ValueMap
from airgap.kube.parse.source import Source

#: Deeper embedded documents are not scanned: each level may double the escapes.
MAX_NESTING = 8


class ScalarView(NamedTuple):
    """A scalar, the map from its value to its text, and the character of the document at which its text begins."""

    scalar: Scalar
    decoded: ValueMap
    first: int


class DocumentView:
    """The document ``source``. If it is embedded, ``holder`` is the scalar that holds it, in the document ``outer``.

    ``budget`` is that of the file.
    """

    def __init__(
        self, source: Source, budget: Budget, outer: DocumentView | None = None, holder: ScalarView | None = None
    ) -> None:
        self.source = source
        self.budget = budget
        self.outer = outer
        self.holder = holder
        #: The holder's value, joined once for all the sites in it.
        self.holder_value = holder.decoded.value if holder else ""
        self.depth: int = outer.depth + 1 if outer else 0
        #: Whether the parser's offsets count bytes (JSON) instead of characters (YAML).
        self.byte_units = False
        self._last_view: tuple[tuple[int, int, bool], ScalarView | None] = ((-1, -1, False), None)

    def byte_offset_of(self, offset: int) -> int:
        """Return the parser's ``offset`` as a byte of the body."""
        return offset if self.byte_units else self.source.byte_offset(offset)

    def scalar_view(self, token: ScalarToken) -> ScalarView | None:
        """Decode ``token``; ``None`` if its text does not decode to its value.

        The last answer is kept, because one value may hold as many images as it has lines.
        """
        key = token.start, token.end, self.byte_units
        if self._last_view[0] != key:
            self._last_view = key, self._decode(token)
        return self._last_view[1]

    def _decode(self, token: ScalarToken) -> ScalarView | None:
        source = self.source
        start, end = self.byte_offset_of(token.start), self.byte_offset_of(token.end)
        pieces, breaks = source.body.count(b"\\", start, end), source.body.count(b"\n", start, end)
        self.budget.hold(PIECE * pieces + LINE * breaks, lambda: self.where(start))
        text = source.body[start:end].decode()
        if skip := scalars.skip_properties(text):
            start += len(text[:skip].encode())
            text = text[skip:]
        decoded = scalars.decode(text, token.style, token.value)
        if decoded is None:
            return None
        outer = self.holder.scalar if self.holder else None
        bom_length = source.bom_length
        scalar = Scalar(bom_length + start, bom_length + end, token.style, token.flow, outer, self.holder_value)
        return ScalarView(scalar, decoded, source.char_index(start))

    def span(self, scalar_view: ScalarView, begin: int, end: int) -> tuple[int, int]:
        """Return the bytes of the body that make ``value[begin:end]``, which is not empty."""
        left, right = scalar_view.decoded.span(begin, end)
        start, stop = scalar_view.first + left, scalar_view.first + right
        if self.source.ascii:
            return start, stop
        return self.source.byte_offset(start), self.source.byte_offset(stop)

    def file_span(self, start: int, end: int) -> tuple[int, int]:
        """Return a span of this document's body as a span of the file."""
        view = self
        while view.outer is not None and view.holder is not None:
            source, holder = view.source, view.holder
            if not source.ascii:
                start, end = source.char_index(start), source.char_index(end)
            if source.bom_length:
                start, end = start + 1, end + 1
            view = view.outer
            start, end = view.span(holder, start, end)
        bom_length = view.source.bom_length
        return start + bom_length, end + bom_length

    def embedded_view(self, token: ScalarToken) -> DocumentView | None:
        """Return the value of ``token`` as a document; ``None`` if it is nested too deeply or cannot be one."""
        if self.depth >= MAX_NESTING:
            return None
        holder = self.scalar_view(token)
        if holder is None:
            return None
        try:
            return DocumentView(Source(token.value.encode(), self.source.file), self.budget, self, holder)
        except (UnicodeEncodeError, ResourceError):  # lone surrogates, or text that no parser accepts
            return None

    def where(self, byte: int) -> str:
        """Return ``file:line`` of a byte of this document's body."""
        root = self.root
        if self.outer is not None:  # an offset in an embedded document is mapped as the start of a one-byte span
            size = len(self.source.body)
            start = max(min(byte, size - 1), 0)
            byte = self.file_span(start, min(start + 1, size))[0] - root.bom_length
        return root.where(byte)

    @property
    def root(self) -> Source:
        """The file's bytes."""
        view = self
        while view.outer is not None:
            view = view.outer
        return view.source

# SPDX-License-Identifier: Apache-2.0
"""Rewrite the content of one file: replace the bytes of sites and no others, or revert such edits.

New text is written in the style of its scalar: with escapes inside quotes. A plain scalar that cannot hold its new
text is put in single quotes. In an embedded document, the text is first encoded for that document, then for the scalar
around it. Before the result is returned, old and new content are compared (:mod:`airgap.kube.rewrite.proof`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.model import Edit, Rewritten, Scalar, Site
from airgap.kube.parse import scalars
from airgap.kube.parse.scalars import NOT_TEXT, NULL
from airgap.kube.parse.source import Source
from airgap.kube.rewrite.proof import Insertion, ValueEdit, applied, verify
from airgap.kube.rewrite.replacements import Replacement, replacements
from airgap.records import Record

#: YAML 1.1, 9.1.3: what a plain scalar may not begin with or contain, and what it may not contain inside brackets.
_PLAIN_START = re.compile(r"[,\[\]{}#&*!|>'\"%@`]|[-?:](?:\s|$)|---|\.\.\.|\s")
_PLAIN_INSIDE = re.compile(r":(?:\s|$)|\s#|\s$")
_FLOW_INSIDE = re.compile(r"[,\[\]{}]|:[,\[\]{}]|^[?:]")

_Splice = tuple[int, int, str]
"""Start and end byte of a document, and the text that replaces them."""


class _ScalarEdit(Record):
    """An edit of a scalar's value. ``document_span`` is its place in the scalar's document, if that is known."""

    scalar: Scalar
    edit: ValueEdit
    document_span: tuple[int, int] | None
    site: Site
    #: The scalar's whole value, if the edit is of a document embedded in it.
    holder_value: str | None = None


def rewrite_content(content: bytes, sites_and_new: Sequence[tuple[Site, str]]) -> Rewritten:
    """Replace each site with its new reference.

    The sites must be those of a scan of ``content``. Sites whose text stays the same give no edit. Raises
    ResourceError with file:line if a site is not in this content, sites overlap or need different texts for a part
    that they share, a new text is not a single word, or the structure of the result would differ.
    """
    for site, new in sites_and_new:
        _check(content, site, new)
    part_replacements = replacements(sites_and_new)
    if not part_replacements:
        return Rewritten(content, ())
    file = part_replacements[0].site.file
    scalar_edits, insertions = [], []
    for replacement in part_replacements:
        part = replacement.part
        if part.role == model.INSERT:
            insertions.append(_insertion(content, replacement))
        else:
            edit = ValueEdit(part.value_span, replacement.text)
            scalar_edits.append(_ScalarEdit(part.scalar, edit, part.document_span, replacement.site))
    scalar_edits = _raised_to_file(scalar_edits)
    splices = _splices(content, scalar_edits)
    splices += [(insertion.offset, insertion.offset, insertion.text) for insertion in insertions]
    output, edits = splice(content, splices, file)
    verify(content, output, _value_edits(scalar_edits), insertions, file)
    return Rewritten(output, edits)


def revert_content(content: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the content before ``edits``. Raises ResourceError if it has been edited since."""
    pieces: list[bytes] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: edit.offset):
        after = edit.after.encode()
        if edit.offset < position or content[edit.offset : edit.offset + len(after)] != after:
            raise ResourceError(
                tr("{after!r} does not stand where it was written; the file has been edited since", after=edit.after),
                where=f"{edit.file}:{edit.line}",
                hint=tr("restore the file from before the rewriting, or change it by hand"),
            )
        pieces += content[position : edit.offset], edit.before.encode()
        position = edit.offset + len(after)
    pieces.append(content[position:])
    return b"".join(pieces)


def _check(content: bytes, site: Site, new: str) -> None:
    where = _where(site)
    for part in site.parts:
        start, end = part.span
        if content[start:end] != part.text.encode():
            raise ResourceError(
                tr("{text!r} does not stand here any more; scan the file again", text=part.text), where=where
            )
    if new == site.text:
        return
    if not new or not new.isprintable() or any(sign.isspace() for sign in new):
        raise ResourceError(
            tr("{new!r} cannot replace an image reference: it is not one printable word", new=new), where=where
        )


def splice(content: bytes, splices: Sequence[_Splice], file: str) -> tuple[bytes, tuple[Edit, ...]]:
    """Return the new content, and the edits that revert it, for replacements of bytes that do not overlap."""
    source = Source(content, file)
    view = memoryview(content)  # the bytes between the sites are copied only once, into the output
    pieces: list[bytes | memoryview] = []
    edits: list[Edit] = []
    position = output_size = 0
    for start, end, text in sorted(splices):
        after = text.encode()
        pieces += view[position:start], after
        output_size += start - position
        line = source.line(max(start - source.bom_length, 0))
        edits.append(Edit(file, line, output_size, content[start:end].decode(), text))
        output_size += len(after)
        position = end
    pieces.append(view[position:])
    return b"".join(pieces), tuple(edits)


def _by_scalar(scalar_edits: Iterable[_ScalarEdit]) -> dict[Scalar, list[_ScalarEdit]]:
    """The edits of each scalar, all in the order of the document."""
    groups: dict[Scalar, list[_ScalarEdit]] = {}
    for scalar_edit in scalar_edits:
        groups.setdefault(scalar_edit.scalar, []).append(scalar_edit)
    for group in groups.values():
        group.sort(key=lambda scalar_edit: scalar_edit.edit.span)
    return dict(sorted(groups.items(), key=lambda group: group[0].start))


def _value_edits(scalar_edits: Iterable[_ScalarEdit]) -> dict[Scalar, list[ValueEdit]]:
    return {scalar: [scalar_edit.edit for scalar_edit in group] for scalar, group in _by_scalar(scalar_edits).items()}


def _raised_to_file(scalar_edits: Sequence[_ScalarEdit]) -> list[_ScalarEdit]:
    """Turn edits of embedded documents into edits of the scalars that hold them, the deepest documents first."""
    raised = list(scalar_edits)
    while (deepest := max((_depth(scalar_edit.scalar) for scalar_edit in raised), default=0)) > 0:
        documents: dict[Scalar, list[_ScalarEdit]] = {}
        for scalar_edit in raised:
            holder = scalar_edit.scalar.outer
            if holder is not None and _depth(scalar_edit.scalar) == deepest:
                documents.setdefault(holder, []).append(scalar_edit)
        raised = [scalar_edit for scalar_edit in raised if _depth(scalar_edit.scalar) < deepest]
        for holder, members in documents.items():
            raised += _edits_of_holder(holder, members)
    return raised


def _edits_of_holder(holder: Scalar, members: Sequence[_ScalarEdit]) -> list[_ScalarEdit]:
    """The edits of ``members``, all in the document that ``holder`` holds, as edits of the holder's value."""
    first = members[0]
    document = first.scalar.document
    content = document.encode()
    splices = sorted(_splices(content, members))
    verify(content, applied(content, splices), _value_edits(members), (), first.site.file, where=_where(first.site))
    source = Source(content, first.site.file)
    bom_chars = 1 if source.bom_length else 0

    def char(byte: int) -> int:
        return source.char_index(byte - source.bom_length) + bom_chars

    return [
        _ScalarEdit(holder, ValueEdit((char(start), char(end)), text), None, first.site, document)
        for start, end, text in splices
    ]


def _splices(document: bytes, scalar_edits: Sequence[_ScalarEdit]) -> list[_Splice]:
    """The splices of ``document`` with which the values of its scalars have the new texts."""
    holder_values = {item.scalar: item.holder_value for item in scalar_edits if item.holder_value is not None}
    splices: list[_Splice] = []
    for scalar, members in _by_scalar(scalar_edits).items():
        spans = _TextSpans(document, scalar, holder_values.get(scalar))
        scalar_splices: list[_Splice] = []
        position = scalar.start
        for member in members:
            span = member.document_span or spans.document_span(member)
            if span is None or span[0] < position:
                raise ResourceError(
                    tr("two sites overlap, so they cannot be rewritten together"), where=_where(member.site)
                )
            scalar_splices.append((*span, _encode(member.edit.text, scalar.style)))
            position = span[1]
        splices += _quoted_if_needed(document, scalar, scalar_splices)
    return splices


class _TextSpans:
    """Maps spans of a scalar's value to bytes of its document. The spans are given in order, so each pass is linear."""

    def __init__(self, document: bytes, scalar: Scalar, value: str | None) -> None:
        self._document = document
        self._scalar = scalar
        self._value = value
        self._text = ""
        self._decoded: scalars.ValueMap | None = None
        #: One place of the text, in characters of the text and in bytes of the document: the end of the last span.
        self._char, self._byte = 0, scalar.start

    def document_span(self, scalar_edit: _ScalarEdit) -> tuple[int, int] | None:
        """Return the bytes of the edit's span; ``None`` if it begins before the end of the last one."""
        left, right = self._decode(scalar_edit.site).span(*scalar_edit.edit.span)
        if left < self._char:
            return None
        start = self._byte + len(self._text[self._char : left].encode())
        end = start + len(self._text[left:right].encode())
        self._char, self._byte = right, end
        return start, end

    def _decode(self, site: Site) -> scalars.ValueMap:
        if self._decoded is None and self._value is not None:
            self._text = self._document[self._scalar.start : self._scalar.end].decode()
            self._decoded = scalars.decode(self._text, self._scalar.style, self._value)
        if self._decoded is None:
            raise ResourceError(tr("this value does not stand here any more"), where=_where(site))
        return self._decoded


def _quoted_if_needed(document: bytes, scalar: Scalar, splices: list[_Splice]) -> list[_Splice]:
    """The same splices, or one that puts a plain scalar in quotes if it cannot hold its new text."""
    if scalar.style:
        return splices
    pieces: list[str] = []
    position = scalar.start
    for start, end, text in splices:
        pieces += document[position:start].decode(), text
        position = end
    whole = "".join([*pieces, document[position : scalar.end].decode()])
    if _plain_holds(whole, scalar.flow):
        return splices
    return [(scalar.start, scalar.end, "'" + whole.replace("'", "''") + "'")]


def _encode(text: str, style: str) -> str:
    if style == "'":
        return text.replace("'", "''")
    if style in ('"', "json"):
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return text


def _plain_holds(text: str, flow: bool) -> bool:
    """Whether YAML reads ``text`` without quotes as that text."""
    if text in NULL or NOT_TEXT.fullmatch(text) or _PLAIN_START.match(text) or _PLAIN_INSIDE.search(text):
        return False
    return not (flow and _FLOW_INSIDE.search(text))


def _insertion(content: bytes, replacement: Replacement) -> Insertion:
    """``newName`` before the entry's ``name``: on a line of its own in block style, else on the same line."""
    offset = replacement.part.span[0]
    scalar, text = replacement.part.scalar, replacement.text
    name = text if scalar.style == "" and _plain_holds(text, scalar.flow) else "'" + text + "'"
    if scalar.style == "json":
        return Insertion(offset, f'"newName": "{text}", ', text)
    if scalar.flow:
        return Insertion(offset, f"newName: {name}, ", text)
    line_start = content.rfind(b"\n", 0, offset) + 1
    before = content[line_start:offset].decode().lstrip("\ufeff")
    line_feed = content.find(b"\n", offset)
    line_end = "\r\n" if content[max(line_feed - 1, 0) : line_feed] == b"\r" else "\n"
    indent = re.sub(r"[^\t ]", " ", before)
    return Insertion(offset, f"newName: {name}{line_end}{indent}", text)


def _depth(scalar: Scalar) -> int:
    """In how many documents the scalar's document is embedded."""
    depth = 0
    while scalar.outer is not None:
        depth, scalar = depth + 1, scalar.outer
    return depth


def _where(site: Site) -> str:
    return f"{site.file}:{site.line}"

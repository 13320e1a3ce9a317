# SPDX-License-Identifier: Apache-2.0
"""``rewrite``: new names spliced into the bytes of sites, every other byte as it was; ``revert`` undoes it.

What is written fits the style that stands there: escapes inside quotes, and a plain scalar that cannot hold its new
text is put in quotes as a whole; in a document inside a value, first as that document wants it, then as the scalar
around it. Before anything is returned, old and new are parsed side by side (:mod:`airgap.kube.rewrite.proof`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airgap.errors import ResourceError
from airgap.kube import model
from airgap.kube.model import Edit, Rewritten, Scalar, Site
from airgap.kube.parse import scalars
from airgap.kube.parse.scalars import NOT_TEXT, NULL
from airgap.kube.parse.source import Source
from airgap.kube.rewrite.proof import Insertion, ValueEdit, applied, verify
from airgap.kube.rewrite.replacements import Replacement, replacements
from airgap.records import Record

#: YAML 1.1, 9.1.3: what a plain scalar may not begin with, hold, or end with; and more inside brackets.
_PLAIN_START = re.compile(r"[,\[\]{}#&*!|>'\"%@`]|[-?:](?:\s|$)|---|\.\.\.|\s")
_PLAIN_INSIDE = re.compile(r":(?:\s|$)|\s#|\s$")
_FLOW_INSIDE = re.compile(r"[,\[\]{}]|:[,\[\]{}]|^[?:]")

_Edit = tuple[int, int, str]


class _Item(Record):
    """A change of a scalar's value; ``local`` is its place in the scalar's document where that is known."""

    scalar: Scalar
    edit: ValueEdit
    local: tuple[int, int] | None
    site: Site
    #: The scalar's whole value, where a document inside it was edited.
    holder: str | None = None


def rewrite_content(content: bytes, sites_and_new: Sequence[tuple[Site, str]]) -> Rewritten:
    """Put each new reference in its site's place.

    ``content`` is what the sites were scanned from, each new text a whole reference. Sites whose text stays give
    no change. Raises ResourceError with file:line where a site is not of this content, sites overlap or cannot
    agree on a part that they share, a new text is no single word, or the result would not be the same structure.
    """
    for site, new in sites_and_new:
        _check(content, site, new)
    wanted = replacements(sites_and_new)
    if not wanted:
        return Rewritten(content, ())
    first = wanted[0].site
    items, inserts = [], []
    for one in wanted:
        if one.part.role == model.INSERT:
            inserts.append(_insertion(content, one))
        else:
            items.append(_Item(one.part.scalar, ValueEdit(one.part.value_span, one.text), one.part.local, one.site))
    raised = _raised(items)
    edits = _edits(content, raised)
    output, changes = _splice(content, [*edits, *((one.at, one.at, one.text) for one in inserts)], first.file)
    members = {scalar: [item.edit for item in group] for scalar, group in _by_scalar(raised).items()}
    verify(content, output, members, inserts, first.file)
    return Rewritten(output, changes)


def revert_content(content: bytes, changes: Iterable[Edit]) -> bytes:
    """Turn what ``rewrite`` made back into what it was made from; raise ResourceError if it was edited since."""
    ordered = sorted(changes, key=lambda change: change.offset)
    pieces: list[bytes] = []
    at = 0
    for change in ordered:
        after = change.after.encode()
        if change.offset < at or content[change.offset : change.offset + len(after)] != after:
            raise ResourceError(
                f"{change.after!r} does not stand where it was written; the file has been edited since",
                where=f"{change.file}:{change.line}",
                hint="restore the file from before the rewriting, or change it by hand",
            )
        pieces += content[at : change.offset], change.before.encode()
        at = change.offset + len(after)
    pieces.append(content[at:])
    return b"".join(pieces)


def _check(content: bytes, site: Site, new: str) -> None:
    where = _where(site)
    for part in site.parts:
        start, end = part.span
        if content[start:end] != part.text.encode():
            raise ResourceError(f"{part.text!r} does not stand here any more; scan the file again", where=where)
    if new == site.text:
        return
    if not new or not new.isprintable() or any(sign.isspace() for sign in new):
        raise ResourceError(f"{new!r} cannot replace an image reference: it is not one printable word", where=where)


def _splice(content: bytes, edits: Sequence[_Edit], file: str) -> tuple[bytes, tuple[Edit, ...]]:
    source = Source(content, file)
    view = memoryview(content)  # so that the parts between the sites are copied once, into the output
    pieces: list[bytes | memoryview] = []
    changes: list[Edit] = []
    at = size = 0
    for start, end, text in sorted(edits):
        after = text.encode()
        pieces += view[at:start], after
        size += start - at
        line = source.line(max(start - source.bom_length, 0))
        changes.append(Edit(file, line, size, content[start:end].decode(), text))
        size += len(after)
        at = end
    pieces.append(view[at:])
    return b"".join(pieces), tuple(changes)


def _by_scalar(items: Iterable[_Item]) -> dict[Scalar, list[_Item]]:
    groups: dict[Scalar, list[_Item]] = {}
    for item in items:
        groups.setdefault(item.scalar, []).append(item)
    for group in groups.values():
        group.sort(key=lambda item: item.edit.span)
    return dict(sorted(groups.items(), key=lambda group: group[0].start))


def _raised(items: Sequence[_Item]) -> list[_Item]:
    """Each document inside a value becomes an edit of the scalar that holds it, from the deepest upwards."""
    waiting = list(items)
    while (deepest := max((_depth(item.scalar) for item in waiting), default=0)) > 0:
        inner = [item for item in waiting if _depth(item.scalar) == deepest]
        waiting = [item for item in waiting if _depth(item.scalar) < deepest]
        documents: dict[Scalar, list[_Item]] = {}
        for item in inner:
            assert item.scalar.outer is not None
            documents.setdefault(item.scalar.outer, []).append(item)
        for holder, members in documents.items():
            document = members[0].scalar.document
            old = document.encode()
            file = members[0].site.file
            edits = sorted(_edits(old, members))
            grouped = {scalar: [one.edit for one in group] for scalar, group in _by_scalar(members).items()}
            verify(old, applied(old, edits), grouped, (), file, where=_where(members[0].site))
            source = Source(old, file)
            shift = 1 if source.bom_length else 0
            for start, end, text in edits:
                span = (
                    source.char_index(start - source.bom_length) + shift,
                    source.char_index(end - source.bom_length) + shift,
                )
                waiting.append(_Item(holder, ValueEdit(span, text), None, members[0].site, document))
    return waiting


def _edits(document: bytes, items: Sequence[_Item]) -> list[_Edit]:
    """What must be written over which bytes of ``document`` so that its scalars' values hold the new texts."""
    found: list[_Edit] = []
    holders = {item.scalar: item.holder for item in items if item.holder is not None}
    for scalar, members in _by_scalar(items).items():
        edits: list[_Edit] = []
        at = scalar.start
        reading: scalars.Decoded | scalars.Verbatim | None = None
        raw = ""
        chars, place = 0, scalar.start  # the same place of the text in characters and in bytes, moving on
        for item in members:
            if item.local is None:
                if reading is None:
                    raw = document[scalar.start : scalar.end].decode()
                    reading = scalars.decode(raw, scalar.style, holders[scalar])
                if reading is None:
                    raise ResourceError("this value does not stand here any more", where=_where(item.site))
                left, right = reading.span(*item.edit.span)
                start = place + len(raw[chars:left].encode()) if left >= chars else at - 1
                end = start + len(raw[left:right].encode())
                chars, place = right, end
            else:
                start, end = item.local
            if start < at:
                raise ResourceError("two sites overlap, so they cannot be rewritten together", where=_where(item.site))
            edits.append((start, end, _encode(item.edit.text, scalar.style)))
            at = end
        found += _fitting(document, scalar, edits)
    return found


def _fitting(document: bytes, scalar: Scalar, edits: list[_Edit]) -> list[_Edit]:
    if scalar.style:
        return edits
    pieces: list[str] = []
    at = scalar.start
    for start, end, text in edits:
        pieces += document[at:start].decode(), text
        at = end
    whole = "".join([*pieces, document[at : scalar.end].decode()])
    if _plain_holds(whole, scalar.flow):
        return edits
    return [(scalar.start, scalar.end, "'" + whole.replace("'", "''") + "'")]


def _encode(text: str, style: str) -> str:
    if style == "'":
        return text.replace("'", "''")
    if style in ('"', "json"):
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return text


def _plain_holds(text: str, flow: bool) -> bool:
    if text in NULL or NOT_TEXT.fullmatch(text) or _PLAIN_START.match(text) or _PLAIN_INSIDE.search(text):
        return False
    return not (flow and _FLOW_INSIDE.search(text))


def _insertion(content: bytes, one: Replacement) -> Insertion:
    """``newName`` before the entry's ``name``: on a line of its own in block style, else before it on the same."""
    at = one.part.span[0]
    scalar = one.part.scalar
    name = one.text if scalar.style == "" and _plain_holds(one.text, scalar.flow) else "'" + one.text + "'"
    if scalar.style == "json":
        return Insertion(at, f'"newName": "{one.text}", ', one.text)
    if scalar.flow:
        return Insertion(at, f"newName: {name}, ", one.text)
    begin = content.rfind(b"\n", 0, at) + 1
    lead = content[begin:at].decode().lstrip("\ufeff")
    feed = content.find(b"\n", at)
    end = "\r\n" if content[max(feed - 1, 0) : feed] == b"\r" else "\n"
    indent = re.sub(r"[^\t ]", " ", lead)
    return Insertion(at, f"newName: {name}{end}{indent}", one.text)


def _depth(scalar: Scalar) -> int:
    depth = 0
    while scalar.outer is not None:
        depth, scalar = depth + 1, scalar.outer
    return depth


def _where(site: Site) -> str:
    return f"{site.file}:{site.line}"

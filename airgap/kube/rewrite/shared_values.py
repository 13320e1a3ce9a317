# SPDX-License-Identifier: Apache-2.0
"""Separate what an image shares with something else by an anchor, so that only the image is rewritten.

``image: &name nginx`` with ``app: *name`` in a label is one text with two meanings. A scan of the file with a copy of
the text in place of each alias tells which uses are images. The uses that are none keep the old text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.kube.model import Rewritten, Scalar, Scan, Site
from airgap.kube.parse import events as ev
from airgap.kube.parse import yaml_events
from airgap.kube.parse.source import Source
from airgap.kube.rewrite.replacements import replacements
from airgap.kube.rewrite.rewriter import splice
from airgap.records import Record

#: Without both of these in a file it has no alias.
_ANCHOR, _ALIAS = re.compile(rb"(?:^|[\s\[{,])&\S", re.MULTILINE), re.compile(rb"(?:^|[\s\[{,:])\*\S", re.MULTILINE)
_NOT_PLAIN_IN_FLOW = re.compile(r"[,\[\]{}]")
#: Styles of scalars that can be copied to any place.
_COPIED = ("", "'", '"')

Splice = tuple[int, int, str]


class _Alias(Record):
    """An alias of a scalar: its place in bytes of the file, the copy that can replace it, and the scalar's place."""

    name: str
    start: int
    end: int
    copy: str
    scalar: Scalar


class Separated(Record):
    """A file with copies of shared texts: its content, what it was made by from the first content, and its scan.

    ``places`` are ``(file:line, name)`` of each use that is no image.
    """

    content: bytes
    splices: tuple[Splice, ...]
    scan: Scan
    places: tuple[tuple[str, str], ...]


def separate(
    content: bytes, scan: Scan, target: Callable[[Site], str | None], rescan: Callable[[bytes], Scan]
) -> Separated | None:
    """Give the images of ``scan`` whose text changes, and what else has that text, texts of their own.

    ``target`` returns the new reference of a site, ``None`` for one that stays. ``rescan`` scans another content of the
    file. Returns ``None`` if no such image shares its text with something else.
    """
    if not (_ANCHOR.search(content) and _ALIAS.search(content)):
        return None
    pairs = [(site, new) for site in scan.sites if (new := target(site)) is not None]
    scalars = {change.part.scalar.end: change.part.scalar for change in replacements(pairs)}
    wanted = {end: scalar for end, scalar in scalars.items() if scalar.outer is None and scalar.style in _COPIED}
    if not wanted:
        return None
    source = Source(content, scan.sites[0].file)
    aliases = list(_aliases(source, content, wanted))
    if not aliases:
        return None
    sites = [site for site in rescan(_expanded(content, aliases)).sites if target(site) is not None]
    image_spans = [part.span for site in sites for part in site.parts]

    def is_image(start: int, end: int) -> bool:
        """Whether something at this place of the first content is an image by itself."""
        shift = sum(len(alias.copy.encode()) - (alias.end - alias.start) for alias in aliases if alias.end <= start)
        length = next((len(alias.copy.encode()) for alias in aliases if alias.start == start), end - start)
        return any(start + shift <= first and last <= start + shift + length for first, last in image_spans)

    chosen, places = list[_Alias](), list[tuple[str, str]]()
    for scalar in wanted.values():
        uses = [alias for alias in aliases if alias.scalar is scalar]
        images = [alias for alias in uses if is_image(alias.start, alias.end)]
        others = [alias for alias in uses if alias not in images]
        if is_image(scalar.start, scalar.end):
            chosen += others
            places += [(source.where(alias.start - source.bom_length), alias.name) for alias in others]
        elif images:
            chosen += images
            places.append((source.where(scalar.start - source.bom_length), images[0].name))
    if not chosen:
        return None
    chosen.sort(key=lambda alias: alias.start)
    made = _expanded(content, chosen)
    _verify(source, Source(made, source.file), chosen)
    splices = tuple((alias.start, alias.end, alias.copy) for alias in chosen)
    return Separated(made, splices, rescan(made), tuple(places))


def joined(content: bytes, separated: Separated, rewritten: Rewritten, file: str) -> Rewritten:
    """Return what separating ``content`` and rewriting the result changed, as one change of ``content``."""
    edits = sorted(rewritten.edits, key=lambda edit: edit.offset)
    changed, shift = list[tuple[int, int, int]](), 0  # each edit's place in the separated content, and its growth
    for edit in edits:
        before, after = len(edit.before.encode()), len(edit.after.encode())
        changed.append((edit.offset - shift, edit.offset - shift + before, after - before))
        shift += after - before

    def in_result(place: int) -> int:
        return place + sum(growth for _, end, growth in changed if end <= place)

    splices, copies, shift = list[Splice](), list[tuple[int, int, int]](), 0
    for start, end, copy in separated.splices:
        length = len(copy.encode())
        first, last = start + shift, start + shift + length
        shift += length - (end - start)
        copies.append((first, last, length - (end - start)))
        splices.append((start, end, rewritten.content[in_result(first) : in_result(last)].decode()))
    for edit, (first, last, _) in zip(edits, changed, strict=True):
        if any(start <= first and last <= end for start, end, _ in copies):
            continue  # it is part of that copy's text
        back = sum(growth for _, end, growth in copies if end <= first)
        splices.append((first - back, last - back, edit.after))
    output, joined_edits = splice(content, splices, file)
    if output != rewritten.content:
        raise _differs(file)
    return Rewritten(output, joined_edits)


def _aliases(source: Source, content: bytes, wanted: dict[int, Scalar]) -> Iterable[_Alias]:
    anchors: dict[str, tuple[Scalar, str, str | None]] = {}
    depths: list[bool] = []
    bom = source.bom_length
    for kind, value, start, end, style, anchor, tag in yaml_events.parse(source):
        if kind == ev.DOCUMENT:
            anchors.clear()
        elif kind in (ev.MAPPING, ev.SEQUENCE):
            depths.append(style == "flow")
        elif kind == ev.END:
            depths.pop()
        if anchor:
            anchors.pop(anchor, None)
            scalar = wanted.get(source.byte_offset(end) + bom) if kind == ev.SCALAR else None
            if scalar is not None:
                anchors[anchor] = scalar, value, tag
        elif kind == ev.ALIAS and value in anchors:
            scalar, text, tag = anchors[value]
            copy = content[scalar.start : scalar.end].decode()
            if not style and not scalar.style and (tag or (depths and depths[-1] and _NOT_PLAIN_IN_FLOW.search(copy))):
                copy = "'" + text.replace("'", "''") + "'"
            yield _Alias(value, source.byte_offset(start) + bom, source.byte_offset(end) + bom, copy, scalar)


def _expanded(content: bytes, aliases: Sequence[_Alias]) -> bytes:
    pieces, position = list[bytes](), 0
    for alias in aliases:
        pieces += content[position : alias.start], alias.copy.encode()
        position = alias.end
    return b"".join([*pieces, content[position:]])


def _verify(old: Source, new: Source, aliases: Sequence[_Alias]) -> None:
    """Raise :class:`ResourceError` unless both are the same, but for scalars in place of ``aliases``."""
    starts = {alias.start - old.bom_length for alias in aliases}
    values: dict[str, str] = {}
    for event, copy in zip_longest(yaml_events.parse(old), yaml_events.parse(new)):
        if event is None or copy is None:
            raise _differs(old.file)
        if event[0] == ev.SCALAR and event[5]:
            values[event[5]] = event[1]
        expected = event[0], event[1], *event[5:]
        if event[0] == ev.ALIAS and old.byte_offset(event[2]) in starts:
            expected = ev.SCALAR, values[event[1]], None, None
        if (copy[0], copy[1], *copy[5:]) != expected:
            raise _differs(old.where(old.byte_offset(event[2])))


def _differs(where: str) -> ResourceError:
    return ResourceError(
        tr("an image shares its text with something else by an anchor, and they cannot be separated"),
        where=where,
        hint=tr("write the value out in place of the alias"),
    )

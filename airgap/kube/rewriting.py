# SPDX-License-Identifier: Apache-2.0
"""``rewrite``: new names spliced into the bytes of sites, every other byte as it was; ``revert`` undoes it.

What is written fits the style that stands there: escapes inside quotes, and a plain scalar that cannot hold its new
text is put in quotes as a whole. Before anything is returned, old and new are parsed side by side: they must be the
same but for the values of the sites, or a ResourceError says where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from airgap.errors import ResourceError
from airgap.kube import events as ev
from airgap.kube import json_events, yaml_events
from airgap.kube.model import Change, Rewritten, Scalar, Site
from airgap.kube.scalars import NOT_TEXT, NULL
from airgap.kube.source import Source

#: YAML 1.1, 9.1.3: what a plain scalar may not begin with, hold, or end with; and more inside brackets.
_PLAIN_START = re.compile(r"[,\[\]{}#&*!|>'\"%@`]|[-?:](?:\s|$)|---|\.\.\.|\s")
_PLAIN_INSIDE = re.compile(r":(?:\s|$)|\s#|\s$")
_FLOW_INSIDE = re.compile(r"[,\[\]{}]|:[,\[\]{}]|^[?:]")

_Edit = tuple[int, int, str]


def rewrite(content: bytes, sites_and_new: Sequence[tuple[Site, str]]) -> Rewritten:
    """Put each new text in its site's place.

    ``content`` is what the sites were scanned from, each new text a whole reference. Sites whose text stays give
    no change. Raises ResourceError with file:line where a site is not of this content, sites overlap, a new text
    is no single word, or the result would not be the same structure.
    """
    groups: dict[Scalar, list[tuple[Site, str]]] = {}
    for site, new in sites_and_new:
        _check(content, site, new)
        if new not in (site.text, site.value):
            groups.setdefault(site.scalar, []).append((site, new))
    ordered = sorted(groups.items(), key=lambda group: group[0].start)
    view = memoryview(content)  # so that the parts between the sites are copied once, into the output
    pieces: list[bytes | memoryview] = []
    changes: list[Change] = []
    at = size = 0
    for scalar, members in ordered:
        members.sort(key=lambda member: member[0].spans)
        line = members[0][0].line
        file = members[0][0].file
        for start, end, text in _lower(content, scalar, members):
            after = text.encode()
            before = content[start:end]
            pieces += view[at:start], after
            size += start - at
            changes.append(Change(file, line, size, before.decode(), text))
            size += len(after)
            at = end
    if not changes:
        return Rewritten(content, ())
    pieces.append(view[at:])
    output = b"".join(pieces)
    _verify(content, output, ordered)
    return Rewritten(output, tuple(changes))


def revert(content: bytes, changes: Iterable[Change]) -> bytes:
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
    where = f"{site.file}:{site.line}"
    ((start, end),) = site.spans
    if content[start:end] != site.text.encode():
        raise ResourceError(f"{site.text!r} does not stand here any more; scan the file again", where=where)
    if new == site.text:
        return
    if not new or not new.isprintable() or any(sign.isspace() for sign in new):
        raise ResourceError(f"{new!r} cannot replace an image reference: it is not one printable word", where=where)


def _lower(content: bytes, scalar: Scalar, members: Sequence[tuple[Site, str]]) -> list[_Edit]:
    """What must be written over which bytes so that the scalar's value holds the new texts."""
    edits: list[_Edit] = []
    at = scalar.start
    for site, new in members:
        ((start, end),) = site.spans
        if start < at:
            raise ResourceError("two sites overlap, so they cannot be rewritten together", where=_where(site))
        edits.append((start, end, _encode(new, scalar.style)))
        at = end
    if scalar.style:
        return edits
    pieces: list[str] = []
    at = scalar.start
    for start, end, text in edits:
        pieces += content[at:start].decode(), text
        at = end
    whole = "".join([*pieces, content[at : scalar.end].decode()])
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


def _where(site: Site) -> str:
    return f"{site.file}:{site.line}"


def _verify(old: bytes, new: bytes, groups: Sequence[tuple[Scalar, Sequence[tuple[Site, str]]]]) -> None:
    """Parse both side by side and compare all but positions and the style of rewritten scalars."""
    first = groups[0][1][0][0]
    json = first.scalar.style == "json"
    parse = json_events.parse if json else yaml_events.parse
    before, after = Source(old, first.file), Source(new, first.file)
    ends = iter([*((scalar.end - before.base, members) for scalar, members in groups), (-1, ())])
    end, members = next(ends)
    unit = end if json else before.char_of(end)
    try:
        for one, other in zip_longest(parse(before), parse(after)):
            same = one is not None and other is not None and one[0] == other[0] and one[5:] == other[5:]
            if same and one[0] == ev.SCALAR and one[3] == unit and members:
                same = other[1] == _expected(one[1], members)
                end, members = next(ends)
                unit = end if json or end < 0 else before.char_of(end)
            elif same:
                same = one[1] == other[1]
            if not same:
                place = (one or other)[2]
                raise ResourceError(
                    "rewriting would change more than the image here, so nothing was written",
                    where=before.where(place if json else before.byte_of(place)),
                    hint="write the value in double quotes, and report this",
                )
    except json_events.NotJSON as fault:
        raise ResourceError("rewriting would not leave valid JSON", where=after.where(fault.byte)) from fault
    if members:
        raise ResourceError("this site does not stand in this file", where=_where(members[0][0]))


def _expected(value: str, members: Sequence[tuple[Site, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for site, new in members:
        start, end = site.value_span
        pieces += value[at:start], new
        at = end
    return "".join([*pieces, value[at:]])

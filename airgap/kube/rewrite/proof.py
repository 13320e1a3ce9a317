# SPDX-License-Identifier: Apache-2.0
"""The proof of a rewriting: old and new parsed side by side are the same, but for the values that were to change and
the entries that were put in; otherwise a ResourceError says where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from airgap.errors import ResourceError
from airgap.kube.model import Scalar
from airgap.kube.parse import events as ev
from airgap.kube.parse import json_events, yaml_events
from airgap.kube.parse.source import Source
from airgap.records import Record


class ValueEdit(Record):
    """``text`` in place of the characters ``span`` of a scalar's value."""

    span: tuple[int, int]
    text: str


class Insertion(Record):
    """``text`` put in at byte ``at``: an entry ``newName`` with the value ``name``."""

    at: int
    text: str
    name: str


def applied(document: bytes, edits: Sequence[tuple[int, int, str]]) -> bytes:
    """``document`` with bytes replaced; the edits are in order."""
    pieces: list[bytes] = []
    at = 0
    for start, end, text in edits:
        pieces += document[at:start], text.encode()
        at = end
    return b"".join([*pieces, document[at:]])


def verify(
    old: bytes,
    new: bytes,
    members: Mapping[Scalar, Sequence[ValueEdit]],
    inserts: Sequence[Insertion],
    file: str,
    *,
    where: str = "",
) -> None:
    """Compare all but positions and the style of rewritten scalars. ``members`` are in the order of the document;
    ``where`` is what to say for a document inside a value."""
    before, after = Source(old, file), Source(new, file)
    json = any(scalar.style == "json" for scalar in members)
    parse = json_events.parse if json else yaml_events.parse
    ends = iter([*((scalar.end - before.bom_length, edits) for scalar, edits in members.items()), (-1, ())])
    end, edits = next(ends)
    unit = end if json else before.char_index(end)
    entries = sorted(inserts, key=lambda one: one.at)
    places = [one.at - before.bom_length if json else before.char_index(one.at - before.bom_length) for one in entries]
    others = parse(after)
    try:
        for one, other in zip_longest(parse(before), others):
            if places and one is not None and other is not None and one[0] == ev.SCALAR and one[2] == places[0]:
                value = next(others, None)
                if other[1] != "newName" or value is None or value[1] != entries[0].name:
                    _differ(before, one, json, where)
                other = next(others, None)
                places.pop(0)
                entries.pop(0)
            same = one is not None and other is not None and one[0] == other[0] and one[5:] == other[5:]
            if same and one[0] == ev.SCALAR and one[3] == unit and edits:
                same = other is not None and other[1] == _expected(one[1], edits)
                end, edits = next(ends)
                unit = end if json or end < 0 else before.char_index(end)
            elif same and other is not None:
                same = one[1] == other[1]
            if not same:
                _differ(before, one or other, json, where)
    except json_events.NotJSON as fault:
        raise ResourceError("rewriting would not leave valid JSON", where=where or after.where(fault.byte)) from fault
    if edits or places:
        raise ResourceError("this site does not stand in this file", where=where or before.where(max(end, 0)))


def _differ(source: Source, event: ev.Event | None, json: bool, where: str) -> None:
    place = event[2] if event is not None else 0
    raise ResourceError(
        "rewriting would change more than the image here, so nothing was written",
        where=where or source.where(place if json else source.byte_offset(place)),
        hint="write the value in double quotes, and report this",
    )


def _expected(value: str, edits: Sequence[ValueEdit]) -> str:
    pieces: list[str] = []
    at = 0
    for edit in edits:
        start, end = edit.span
        pieces += value[at:start], edit.text
        at = end
    return "".join([*pieces, value[at:]])

# SPDX-License-Identifier: Apache-2.0
"""Verify a rewrite: parse old and new content side by side and compare their events.

Only the values that were to change and the entries that were inserted may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import NoReturn

from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.kube.model import Scalar
from airgap.kube.parse import events as ev
from airgap.kube.parse import json_events, line_events, yaml_events
from airgap.kube.parse.source import Source
from airgap.records import Record


class ValueEdit(Record):
    """``text`` replaces the characters ``span`` of a scalar's value."""

    span: tuple[int, int]
    text: str


class Insertion(Record):
    """``text``, inserted at byte ``offset``: an entry ``newName`` with the value ``name``."""

    offset: int
    text: str
    name: str


def applied(document: bytes, splices: Sequence[tuple[int, int, str]]) -> bytes:
    """Return ``document`` with the spans replaced. The splices are in the order of the document."""
    pieces: list[bytes] = []
    position = 0
    for start, end, text in splices:
        pieces += document[position:start], text.encode()
        position = end
    return b"".join([*pieces, document[position:]])


def verify(
    old: bytes,
    new: bytes,
    value_edits: Mapping[Scalar, Sequence[ValueEdit]],
    insertions: Sequence[Insertion],
    file: str,
    *,
    where: str = "",
) -> None:
    """Raise ResourceError unless ``new`` is ``old`` with the edited values and the insertions, and nothing else.

    Offsets and the style of rewritten scalars are not compared. The scalars in ``value_edits`` are in the order of
    the document. ``where`` is the place for messages about an embedded document.
    """
    old_source, new_source = Source(old, file), Source(new, file)
    styles = {scalar.style for scalar in value_edits}
    byte_units = "json" in styles  # and lists of references count bytes, too
    parse = json_events.parse if byte_units else yaml_events.parse
    if line_events.STYLE in styles:
        byte_units, parse = True, line_events.parse

    def offset_of(byte: int) -> int:
        """A byte of the old body in the parser's unit."""
        return byte if byte_units or byte < 0 else old_source.char_index(byte)

    pending_edits = [(scalar.end - old_source.bom_length, edits) for scalar, edits in value_edits.items()]
    pending_edits.reverse()
    edit_end = offset_of(pending_edits[-1][0]) if pending_edits else -1
    pending_insertions = sorted(insertions, key=lambda insertion: -insertion.offset)
    insertion_places = [offset_of(insertion.offset - old_source.bom_length) for insertion in pending_insertions]
    new_events = parse(new_source)
    try:
        for event, new_event in zip_longest(parse(old_source), new_events):
            if event is None or new_event is None:
                _differ(old_source, event or new_event, byte_units, where)
            if insertion_places and event[0] == ev.SCALAR and event[2] == insertion_places[-1]:
                value = next(new_events, None)
                insertion_places.pop()
                if new_event[1] != "newName" or value is None or value[1] != pending_insertions.pop().name:
                    _differ(old_source, event, byte_units, where)
                new_event = next(new_events, None)
                if new_event is None:
                    _differ(old_source, event, byte_units, where)
            expected_value = event[1]
            if event[0] == ev.SCALAR and pending_edits and event[3] == edit_end:
                expected_value = _edited(event[1], pending_edits.pop()[1])
                edit_end = offset_of(pending_edits[-1][0]) if pending_edits else -1
            if (new_event[0], new_event[1], new_event[5:]) != (event[0], expected_value, event[5:]):
                _differ(old_source, event, byte_units, where)
    except json_events.NotJSON as error:
        place = where or new_source.where(error.byte)
        raise ResourceError(tr("rewriting would not leave valid JSON"), where=place) from error
    if pending_edits or insertion_places:
        end = pending_edits[-1][0] if pending_edits else 0
        raise ResourceError(tr("this site does not stand in this file"), where=where or old_source.where(max(end, 0)))


def _differ(source: Source, event: ev.Event | None, byte_units: bool, where: str) -> NoReturn:
    place = event[2] if event is not None else 0
    raise ResourceError(
        tr("rewriting would change more than the image here, so nothing was written"),
        where=where or source.where(place if byte_units else source.byte_offset(place)),
        hint=tr("write the value in double quotes, and report this"),
    )


def _edited(value: str, edits: Sequence[ValueEdit]) -> str:
    """``value`` after ``edits``, which are in order."""
    pieces: list[str] = []
    position = 0
    for edit in edits:
        start, end = edit.span
        pieces += value[position:start], edit.text
        position = end
    return "".join([*pieces, value[position:]])

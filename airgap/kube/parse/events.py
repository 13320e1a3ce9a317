# SPDX-License-Identifier: Apache-2.0
"""What both parsers yield: YAML and JSON as one stream of small tuples with positions in bytes or characters.

An event is ``(what, value, start, end, style, anchor, tag)``. ``start``/``end`` count characters for YAML and
bytes for JSON, from behind a byte order mark. ``style`` is a scalar's style (:class:`model.Scalar`), or for the
start of a mapping or sequence ``"flow"`` or ``""``. For aliases ``value`` is the anchor's name.
"""

from __future__ import annotations

from collections.abc import Iterator

Event = tuple[int, str, int, int, str, "str | None", "str | None"]
Events = Iterator[Event]

SCALAR, MAPPING, SEQUENCE, END, ALIAS, DOCUMENT, DOCUMENT_END = range(7)

#: Deeper nesting than any person or program writes, and libyaml's own limit; the same for JSON and without libyaml,
#: whose substitute would take quadratic time beyond it.
MAX_DEPTH = 1_000

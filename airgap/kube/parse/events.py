# SPDX-License-Identifier: Apache-2.0
"""The events that both parsers yield, as tuples.

An event is ``(type, value, start, end, style, anchor, tag)``. ``start`` and ``end`` count characters in YAML and
bytes in JSON, without a byte order mark. ``style`` is that of a scalar (:class:`airgap.kube.model.Scalar`), or
``"flow"`` or ``""`` at the start of a mapping or sequence. For an alias, ``value`` is the name of the anchor.
"""

from __future__ import annotations

from collections.abc import Iterator

Event = tuple[int, str, int, int, str, "str | None", "str | None"]
Events = Iterator[Event]

SCALAR, MAPPING, SEQUENCE, END, ALIAS, DOCUMENT, DOCUMENT_END = range(7)

#: The deepest nesting that is accepted. It is libyaml's own limit. PyYAML's parser takes quadratic time beyond it.
MAX_DEPTH = 1_000

# SPDX-License-Identifier: Apache-2.0
"""Parse documents that are values of scalars in other documents."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from airgap.errors import ResourceError
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.parse import events as ev
from airgap.kube.parse import json_events, yaml_events


def embedded_events(view: DocumentView) -> Iterator[ev.Events]:
    """Yield the events of ``view`` as JSON, if it may be JSON, then as YAML.

    Yields nothing for a text without a mapping or list at its top. A consumer that meets a parse error (ResourceError
    or NotJSON) takes the next stream. The unit of ``view``'s offsets is set to that of the stream.
    """
    for is_json in (True, False):
        if is_json and not json_events.could_be(view.source):
            continue
        view.byte_units = is_json
        try:
            events = json_events.parse(view.source) if is_json else yaml_events.parse(view.source)
            first_events = list(islice(events, 2))
        except (ResourceError, json_events.NotJSON):
            continue
        if len(first_events) < 2 or first_events[1][0] not in (ev.MAPPING, ev.SEQUENCE):
            return
        yield chain(first_events, events)

# SPDX-License-Identifier: Apache-2.0
"""Documents: parsed and judged, whether they are the file or a value in it. What does not parse as YAML or JSON with
a mapping or list at its top is no document, and inside a value that is no error.
"""

from __future__ import annotations

from itertools import chain

from airgap.errors import ResourceError
from airgap.kube.detect.collector import Finds
from airgap.kube.detect.custom_rules import Custom
from airgap.kube.detect.document_view import Text
from airgap.kube.detect.rule import Rule
from airgap.kube.parse import events as ev
from airgap.kube.parse import json_events, yaml_events


def look_through(text: Text, finds: Finds, custom: Custom, prefix: str, weaker: Rule | None = None) -> bool:
    """Judge the document in a value; ``False`` if it is none, and then nothing of it was taken. With ``weaker``, all
    that it holds is what that rule says."""
    from airgap.kube.detect.scanner import Judge

    for json in (True, False):
        if json and not json_events.could_be(text.source):
            continue
        text.byte_units = json
        own = Finds(finds.root, custom)
        try:
            events = json_events.parse(text.source) if json else yaml_events.parse(text.source)
            begin = [event for _, event in zip(range(2), events, strict=False)]
            if len(begin) < 2 or begin[1][0] not in (ev.MAPPING, ev.SEQUENCE):
                return False
            Judge(text, own, custom, prefix).run(chain(begin, events))
        except (ResourceError, json_events.NotJSON):
            continue
        if weaker is not None:
            own.weaken(weaker)
        finds.merge(own)
        return True
    return False

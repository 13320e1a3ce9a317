# SPDX-License-Identifier: Apache-2.0
"""Documents: parsed and judged, whether they are the file or a value in it. What does not parse as YAML or JSON with
a mapping or list at its top is no document, and inside a value that is no error.
"""

from __future__ import annotations

from itertools import chain

from airgap.errors import ResourceError
from airgap.kube.detect.collector import SiteCollector
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.detect.rule import Rule
from airgap.kube.parse import events as ev
from airgap.kube.parse import json_events, yaml_events


def scan_embedded(
    view: DocumentView, collector: SiteCollector, custom: CustomRules, prefix: str, weaker_rule: Rule | None = None
) -> bool:
    """Judge the document in a value; ``False`` if it is none, and then nothing of it was taken. With ``weaker``, all
    that it holds is what that rule says."""
    from airgap.kube.detect.scanner import DocumentScanner

    for is_json in (True, False):
        if is_json and not json_events.could_be(view.source):
            continue
        view.byte_units = is_json
        embedded_collector = SiteCollector(collector.root, custom)
        try:
            events = json_events.parse(view.source) if is_json else yaml_events.parse(view.source)
            first_events = [event for _, event in zip(range(2), events, strict=False)]
            if len(first_events) < 2 or first_events[1][0] not in (ev.MAPPING, ev.SEQUENCE):
                return False
            DocumentScanner(view, embedded_collector, custom, prefix).run(chain(first_events, events))
        except (ResourceError, json_events.NotJSON):
            continue
        if weaker_rule is not None:
            embedded_collector.downgrade(weaker_rule)
        collector.merge(embedded_collector)
        return True
    return False

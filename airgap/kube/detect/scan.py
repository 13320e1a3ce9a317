# SPDX-License-Identifier: Apache-2.0
"""Scan a resource file for images. A file that begins like JSON is parsed as JSON first, then as YAML.

A file that ends in ``.txt`` is a list of references, and so is standard input if all its lines are references.
"""

from __future__ import annotations

from airgap import limits
from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.kube.detect import reference_list
from airgap.kube.detect.collector import SiteCollector
from airgap.kube.detect.custom_rules import NO_CUSTOM_RULES, CustomRules
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.detect.scanner import DocumentScanner
from airgap.kube.model import Scan
from airgap.kube.parse import json_events, yaml_events
from airgap.kube.parse.budget import Budget, OverBudget, too_large
from airgap.kube.parse.events import Events
from airgap.kube.parse.source import Source


def scan(content: bytes, file: str, custom_rules: CustomRules = NO_CUSTOM_RULES, *, strict: bool = True) -> Scan:
    """Find the image sites of one resource file. ``file`` is its name in messages; ``custom_rules`` add to the rules.

    Raises ResourceError with file:line if the content is not UTF-8, neither YAML nor JSON, or nested too deeply, and
    for all values in certain places that are not references; without ``strict`` these are near misses. Raises
    OverBudget, which is one too, for a file past a limit. A file without sites is not an error.
    """
    if len(content) > limits.value("resource-bytes"):
        raise too_large(file, len(content))
    source = Source(content, file)
    if reference_list.is_list(source):
        return reference_list.scan_list(source, custom_rules, strict=strict)
    collector = SiteCollector(source, custom_rules, Budget(), strict=strict)
    json_error: json_events.NotJSON | None = None
    if json_events.could_be(source):
        try:
            return _run(collector, json_events.parse(source), is_json=True)
        except json_events.NotJSON as error:
            json_error = error
        collector = SiteCollector(source, custom_rules, Budget(), strict=strict)
    try:
        return _run(collector, yaml_events.parse(source), is_json=False)
    except OverBudget:
        raise
    except ResourceError as error:
        if json_error is not None and file.endswith(".json"):
            raise ResourceError(tr("not valid JSON"), where=source.where(json_error.byte)) from error
        raise


def _run(collector: SiteCollector, events: Events, *, is_json: bool) -> Scan:
    view = DocumentView(collector.root, collector.budget)
    view.byte_units = is_json
    DocumentScanner(view, collector, collector.custom).run(events)
    return collector.result()

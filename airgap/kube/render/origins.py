# SPDX-License-Identifier: Apache-2.0
"""Tell where each document of a chart's rendering comes from: a template, a hook, or the chart's folder ``crds``.

helm treats them differently. A hook is an object with the annotation ``helm.sh/hook``, whose value names events; helm 3
hands no hook to a post-renderer, helm 4 does. What is in ``crds`` is neither rendered nor handed to one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airgap.kube.parse import events as ev
from airgap.kube.parse import yaml_events
from airgap.kube.parse.source import Source
from airgap.records import Record

#: Stands for a list in a path; no key has a line feed.
_LIST = "\n"
_HOOK_PATH = ("metadata", "annotations", "helm.sh/hook")
#: The events at which ``helm test`` runs a hook; the others are from helm 2.
_TEST_EVENTS = frozenset({"test", "test-success", "test-failure"})
_SOURCE = re.compile(rb"^# Source: (.*?)\r?$", re.MULTILINE)
_CRD_PATH = re.compile(r"[^/]+/(?:charts/[^/]+/)*crds/")


class Origin(Record):
    """The origin of one document. ``template`` is the file in the chart, or "" if helm names none."""

    template: str = ""
    hooks: frozenset[str] = frozenset()

    @property
    def is_test(self) -> bool:
        """Whether only ``helm test`` runs it."""
        return bool(self.hooks) and self.hooks <= _TEST_EVENTS

    @property
    def is_crd_file(self) -> bool:
        """Whether it is from a folder ``crds``, which helm installs as it is."""
        return not self.hooks and _CRD_PATH.match(self.template) is not None


def origins_by_document(content: bytes, label: str) -> dict[int, Origin]:
    """Return the origin of each document of a rendering; documents count from 1. ``label`` is its name in messages.

    Raises ResourceError if it is not YAML.
    """
    source = Source(content, label)
    templates = [
        (match.start(), match[1].decode("utf-8", "replace").strip()) for match in _SOURCE.finditer(source.body)
    ]
    origins: dict[int, Origin] = {}
    document = start = 0
    hooks: frozenset[str] = frozenset()
    path: list[str | None] = []  # the current key of each open mapping, ``None`` before a key; ``_LIST`` for a list
    for event_type, value, offset, *_ in yaml_events.parse(source):
        if event_type == ev.DOCUMENT:
            document, start, hooks = document + 1, source.byte_offset(offset), frozenset()
        elif event_type == ev.DOCUMENT_END:
            origins[document] = Origin(_template_of(templates, start, source.byte_offset(offset)), hooks)
        elif event_type in (ev.MAPPING, ev.SEQUENCE):
            path.append(_LIST if event_type == ev.SEQUENCE else None)
        elif event_type in (ev.SCALAR, ev.ALIAS) and path and path[-1] is None:
            path[-1] = value
        else:
            if event_type == ev.END:
                path.pop()
            elif tuple(path) == _HOOK_PATH:
                hooks = frozenset(name.strip().lower() for name in value.split(",") if name.strip())
            if path and path[-1] != _LIST:
                path[-1] = None  # its value has ended
    return origins


def _template_of(templates: Sequence[tuple[int, str]], start: int, end: int) -> str:
    """The template that helm names first in the document, or for a later document of one file, in an earlier one."""
    before = ""
    for place, name in templates:
        if start <= place < end:
            return name
        if place < start:
            before = name
    return before

# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder the rendering of its kustomization or chart does not reach.

A kustomization reaches each path below it that one of its values names, and so on in the kustomizations there. A
chart reaches its own files: those in its folder, and below ``templates``, ``crds`` and ``charts``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from airgap.errors import ResourceError
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.scan import scan
from airgap.kube.files import load_readable
from airgap.kube.parse import events as ev
from airgap.kube.parse import yaml_events
from airgap.kube.parse.source import Source
from airgap.kube.render import programs
from airgap.kube.walk.kinds import is_resource_file
from airgap.kube.walk.skipped import is_chart_template

_OF_CHART = ("templates", "crds", "charts")


def unreached_files(folder: str, rules: CustomRules, is_own: Callable[[str], bool]) -> list[str]:
    """Return the files below ``folder`` that name images and that its rendering does not reach.

    Files and folders for whose paths ``is_own`` returns true are airgap's own, and are left out.
    """
    try:
        files = load_readable([folder], skip=is_own).files
    except ResourceError:
        return []
    if programs.renderable_kind(folder) == programs.CHART:
        reached = [file.path for file in files if _is_part_of_chart(file.path, folder)]
    else:
        reached = list(_reached_by_kustomization(folder))
    real_reached = [os.path.realpath(path) for path in reached]
    whole, folders = set(real_reached), tuple(os.path.join(path, "") for path in real_reached if os.path.isdir(path))
    unreached = []
    for file in files:
        real = os.path.realpath(file.path)
        if real in whole or real.startswith(folders) or is_chart_template(file):
            continue
        try:
            found = scan(file.content, file.path, rules, strict=False)
        except ResourceError:
            continue
        if found.sites and is_resource_file(file, found):
            unreached.append(file.path)
    return unreached


def _is_part_of_chart(path: str, chart: str) -> bool:
    first, slash, _ = os.path.relpath(path, chart).partition(os.sep)
    return not slash or first in _OF_CHART


def _reached_by_kustomization(folder: str) -> Iterator[str]:
    """Yield the files and folders that the kustomization in ``folder`` names, and those that they name."""
    visited: set[str] = set()
    pending = [folder]
    while pending:
        current = pending.pop()
        real = os.path.realpath(current)
        if real in visited:
            continue
        visited.add(real)
        files = (os.path.join(current, name) for name in programs.KUSTOMIZATION_NAMES)
        file = next(filter(os.path.isfile, files), None)
        if file is None:  # a folder with charts or files, which is used as a whole
            yield current
            continue
        yield file
        for value in _values(file):
            # The entries of generators are PATH or NAME=PATH.
            for text in (value, value.rpartition("=")[2]):
                path = os.path.join(current, text)
                if not text or len(text) > 4096 or "\0" in text or text in (".", "./"):
                    continue
                if os.path.isdir(path):
                    pending.append(path)
                elif os.path.isfile(path):
                    yield path


def _values(file: str) -> list[str]:
    """The scalars of a kustomization that are no keys; those before a place that does not parse."""
    values: list[str] = []
    open_nodes: list[int] = []  # the types of the open mappings and sequences
    at_key: list[bool] = []  # whether the next node in each of them is a key
    try:
        with open(file, "rb") as opened:
            for event_type, value, *_ in yaml_events.parse(Source(opened.read(), file)):
                if event_type == ev.END:
                    open_nodes.pop()
                    at_key.pop()
                    continue
                is_key = bool(at_key) and at_key[-1]
                if at_key and event_type in (ev.SCALAR, ev.ALIAS, ev.MAPPING, ev.SEQUENCE):
                    at_key[-1] = open_nodes[-1] == ev.MAPPING and not at_key[-1]
                if event_type in (ev.MAPPING, ev.SEQUENCE):
                    open_nodes.append(event_type)
                    at_key.append(event_type == ev.MAPPING)
                elif event_type == ev.SCALAR and not is_key:
                    values.append(value)
    except (OSError, ResourceError):
        pass
    return values

# SPDX-License-Identifier: Apache-2.0
"""Render the charts and kustomizations among the user's paths."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from airgap import kube
from airgap.errors import ResourceError, UsageError
from airgap.i18n import tr
from airgap.kube.render import programs
from airgap.kube.render.programs import Rendering
from airgap.records import replace

#: Returns the options that ``helm pull`` needs for a registry.
PullOptions = Callable[[str], Sequence[str]]


def no_pull_options(_: str) -> Sequence[str]:
    """Return no options for ``helm pull``."""
    return ()


def rendered(
    paths: Sequence[str], rendering: Rendering, pull: PullOptions = no_pull_options
) -> tuple[list[kube.ResourceFile], list[str]]:
    """Return the charts and kustomizations among ``paths`` as resource files, and the other paths.

    Raises ResourceError with the message of the rendering program, and UsageError for helm options without a chart.
    """
    check_options(paths, rendering)
    files: list[kube.ResourceFile] = []
    for path in paths:
        kind = programs.renderable_kind(path)
        if kind == programs.CHART:
            with chart_on_disk(path, pull) as chart_path:
                name = programs.chart_name(chart_path)
                content = programs.template(chart_path, name, rendering)
        elif kind == programs.KUSTOMIZATION:
            name, content = folder_name(path), programs.kustomize(path)
        else:
            continue
        if not content.strip():
            raise ResourceError(tr("rendering this gives nothing"), where=path)
        files.append(kube.ResourceFile(f"{name}.yaml", rendered_label(path), content))
    return files, [path for path in paths if not programs.renderable_kind(path)]


def with_unique_names(files: Sequence[kube.ResourceFile], taken: set[str]) -> Iterator[kube.ResourceFile]:
    """Yield the files, with a number added to names in ``taken``, which is updated."""
    for file in files:
        name, number = file.name, 1
        while name in taken:
            number += 1
            name = f"{file.name.removesuffix('.yaml')}-{number}.yaml"
        taken.add(name)
        yield replace(file, name=name)


def check_options(paths: Sequence[str], rendering: Rendering) -> None:
    """Raise UsageError for a password in a chart's address, or helm options without exactly one chart.

    Helm ignores values that a chart does not know, so options for several charts would hide mistakes.
    """
    for path in paths:
        _, at, host_and_path = path.rpartition("@")
        if at and "/" in host_and_path and path.startswith("oci://"):
            raise UsageError(
                tr("a chart's address carries no user or password"), hint=tr("helm registry login keeps them")
            )
    if rendering == Rendering():
        return
    charts = [path for path in paths if programs.renderable_kind(path) == programs.CHART]
    if not charts:
        raise UsageError(tr("-f, --set and their like are for charts, and no PATH is one"))
    if len(charts) > 1:
        raise UsageError(
            tr("whose values are these? {charts_count} charts are given", charts_count=len(charts)),
            hint=tr("give charts with values one at a time"),
        )
    for path in rendering.values:
        if path == "-":
            raise UsageError(tr("values cannot come from standard input"), hint=tr("put them into a file"))
        if "://" not in path and not os.path.isfile(path):
            raise UsageError(tr("there is no such values file"), where=path)


@contextmanager
def chart_on_disk(path: str, pull: PullOptions = no_pull_options) -> Iterator[str]:
    """Give the chart's path on the disk. A chart in a registry is downloaded into a temporary folder."""
    if not path.startswith("oci://"):
        yield path
        return
    registry = path.removeprefix("oci://").partition("/")[0]
    with tempfile.TemporaryDirectory(prefix="airgap-chart-") as folder:
        yield programs.pull(path, folder, pull(registry))


def rendered_label(path: str) -> str:
    """Return the name of a rendering in messages with file:line."""
    return f"{path} (rendered)"


def folder_name(path: str) -> str:
    """Return the name for a kustomization: that of its folder."""
    return os.path.basename(os.path.abspath(path)) or "kustomization"

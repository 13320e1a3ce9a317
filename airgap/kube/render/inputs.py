# SPDX-License-Identifier: Apache-2.0
"""Charts and kustomizations among what was given, rendered by helm, kubectl or kustomize, for every verb alike."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from airgap import kube
from airgap.errors import ResourceError, UsageError
from airgap.kube.render import programs as render
from airgap.kube.render.programs import Rendering
from airgap.records import replace

#: The options that ``helm pull`` needs for a registry, by the registry's name.
Pull = Callable[[str], Sequence[str]]


def no_options(_: str) -> Sequence[str]:
    """For registries of which nothing was said."""
    return ()


def rendered(
    paths: Sequence[str], rendering: Rendering, pull: Pull = no_options
) -> tuple[list[kube.ResourceFile], list[str]]:
    """The charts and kustomizations among ``paths`` as resource files, and the other paths.

    Raises ResourceError with the rendering program's words, UsageError for options that have no chart to go to.
    """
    check(paths, rendering)
    files: list[kube.ResourceFile] = []
    for path in paths:
        what = render.what_is(path)
        if what == render.CHART:
            with on_disk(path, pull) as place:
                name = render.chart_name(place)
                content = render.template(place, name, rendering)
        elif what == render.KUSTOMIZATION:
            name, content = folder_name(path), render.kustomize(path)
        else:
            continue
        if not content.strip():
            raise ResourceError("rendering this gives nothing", where=path)
        files.append(kube.ResourceFile(f"{name}.yaml", shown(path), content))
    return files, [path for path in paths if not render.what_is(path)]


def apart(files: Sequence[kube.ResourceFile], taken: set[str]) -> Iterator[kube.ResourceFile]:
    """The same files, with a number in the name of each whose name is ``taken`` by another."""
    for file in files:
        name, number = file.name, 1
        while name in taken:
            number += 1
            name = f"{file.name.removesuffix('.yaml')}-{number}.yaml"
        taken.add(name)
        yield replace(file, name=name)


def check(paths: Sequence[str], rendering: Rendering) -> None:
    """No chart's address may hold a password, and options for helm need exactly one chart: helm passes over values
    that a chart does not know."""
    for path in paths:
        _, at, behind = path.rpartition("@")
        if at and "/" in behind and path.startswith("oci://"):
            raise UsageError("a chart's address carries no user or password", hint="helm registry login keeps them")
    if rendering == Rendering():
        return
    charts = [path for path in paths if render.what_is(path) == render.CHART]
    if not charts:
        raise UsageError("-f, --set and their like are for charts, and no PATH is one")
    if len(charts) > 1:
        raise UsageError(
            f"whose values are these? {len(charts)} charts are given", hint="give charts with values one at a time"
        )
    for path in rendering.values:
        if path == "-":
            raise UsageError("values cannot come from standard input", hint="put them into a file")
        if "://" not in path and not os.path.isfile(path):
            raise UsageError("there is no such values file", where=path)


@contextmanager
def on_disk(path: str, pull: Pull = no_options) -> Iterator[str]:
    """Where the chart lies; one in a registry is fetched for as long as it is needed."""
    if not path.startswith("oci://"):
        yield path
        return
    registry = path.removeprefix("oci://").partition("/")[0]
    with tempfile.TemporaryDirectory(prefix="airgap-chart-") as folder:
        yield render.pull(path, folder, pull(registry))


def shown(path: str) -> str:
    """What stands before a line's number in what is said of a rendering."""
    return f"{path} (rendered)"


def folder_name(path: str) -> str:
    """What a kustomization is called, which has no name of its own."""
    return os.path.basename(os.path.abspath(path)) or "kustomization"

# SPDX-License-Identifier: Apache-2.0
"""Charts: rendered by helm for every verb, and for ``airgap rewrite`` a values file that moves their images.

The values file is proven before anybody gets it: the chart is rendered with it, and each image that is not at the
target then is named.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airgap import kube
from airgap.errors import AirgapError, ContentMissing, Incomplete, ResourceError, UsageError, raise_all
from airgap.events import Sink, Warned, ignore
from airgap.kube import chart, render
from airgap.kube.render import Rendering
from airgap.kube.solving import solve
from airgap.oci import Reference

if TYPE_CHECKING:
    from airgap.flows.rewrite import Locate

#: The options that ``helm pull`` needs for a registry, by the registry's name.
Pull = Callable[[str], Sequence[str]]


def no_options(_: str) -> Sequence[str]:
    """For registries of which nothing was said."""
    return ()


@dataclass(frozen=True)
class Pointed:
    """``name`` of the chart or folder, ``content`` of the file that moves its images; ``left`` says which it does
    not move, each with its line in the rendering."""

    name: str
    content: bytes
    images: int
    left: tuple[Incomplete, ...]


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
    """Options for helm need exactly one chart: helm passes over values that a chart does not know."""
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


def values_for(
    path: str,
    rendering: Rendering,
    locate: Locate,
    *,
    pull: Pull = no_options,
    keep_unknown: bool = False,
    origin: str = "bundle",
    emit: Sink = ignore,
) -> Pointed:
    """A values file with which the chart's images are where ``locate`` puts them.

    Raises ResourceError as :func:`rendered` does, and ContentMissing for images that ``locate`` does not know.
    """
    check([path], rendering)
    with on_disk(path, pull) as place, tempfile.TemporaryDirectory(prefix="airgap-values-") as folder:
        name = render.chart_name(place)
        extra = os.path.join(folder, "values.yaml")

        def rendered_with(values: Mapping[str, Any]) -> bytes:
            if not values:
                return render.template(place, name, rendering)
            with open(extra, "w", encoding="utf-8") as file:
                file.write(chart.dump(values))
            return render.template(place, name, rendering.over(extra))

        base = rendered_with({})
        goals = wanted(kube.scan(base, shown(path)), locate, keep_unknown=keep_unknown, origin=origin, emit=emit)
        solved = solve(chart.values_of(place, name, rendering), base, goals, rendered_with, shown(path))
    why = "no value of the chart moves this image"
    command = f"helm template {name} {path} --include-crds | airgap rewrite - --to TARGET"
    hint = f"change the chart, or rewrite what it renders: {command}"
    if solved.said:
        hint = f"other values were refused: {solved.said}\n  {hint}"
    head = f"# Where the images of {name} are. The last values file wins: helm install NAME {path} -f … -f THIS_FILE\n"
    content = head + (chart.dump(solved.values) or "{}\n")
    left = left_over(solved.content, solved.left, why, hint)
    return Pointed(name, content.encode(), len(goals), left)


def wanted(
    scan: kube.Scan, locate: Locate, *, keep_unknown: bool = False, origin: str = "bundle", emit: Sink = ignore
) -> dict[Reference, Reference]:
    """Where each image of a rendering belongs; one that is not known is an error, or with ``keep_unknown`` is told."""
    goals: dict[Reference, Reference] = {}
    errors: list[AirgapError] = []
    for site in scan.sites:
        target = locate(site.reference)
        if target is not None:
            goals[site.reference] = target
            continue
        where, what = f"{site.file}:{site.line}", f"{site.reference} is not in the {origin}"
        if keep_unknown:
            emit(Warned(f"{where}: {what}; left as it is"))
        else:
            errors.append(ContentMissing(what, where=where, hint="export it too, or --keep-unknown leaves it"))
    raise_all(errors)
    if not scan.sites:
        raise ResourceError("no image is named in what this renders to")
    return goals


def left_over(content: bytes, sites: Sequence[kube.Site], why: str, hint: str) -> tuple[Incomplete, ...]:
    """Each site as an error of its own; helm's ``# Source:`` comment above it names the template."""
    errors = []
    for number, site in enumerate(sites, 1):
        at = content.rfind(b"\n# Source: ", 0, site.scalar.start)
        source = content[at + 11 : content.find(b"\n", at + 1)].decode("utf-8", "replace").strip() if at >= 0 else ""
        place = f"{source}, {site.path}" if source else site.path
        errors.append(
            Incomplete(
                f"{site.reference} stays ({place}): {why}",
                where=f"{site.file}:{site.line}",
                hint=hint if number == len(sites) else None,
            )
        )
    return tuple(errors)

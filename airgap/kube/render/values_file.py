# SPDX-License-Identifier: Apache-2.0
"""Charts, for ``airgap rewrite``: a values file that moves their images.

The values file is proven before anybody gets it: the chart is rendered with it, and each image that is not at the
target then is named.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airgap import kube
from airgap.errors import AirgapError, ContentMissing, Incomplete, ResourceError, raise_all
from airgap.events import Sink, Warned, ignore
from airgap.kube.render import chart
from airgap.kube.render import programs as render
from airgap.kube.render.inputs import Pull, check, no_options, on_disk, shown
from airgap.kube.render.programs import Rendering
from airgap.kube.render.solver import solve
from airgap.oci import Reference
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.kube.rewrite.file_set import Locate


class GeneratedFile(Record):
    """``name`` of the chart or folder, ``content`` of the file that moves its images; ``left`` says which it does
    not move, each with its line in the rendering."""

    name: str
    content: bytes
    images: int
    left: tuple[Incomplete, ...]


def values_for(
    path: str,
    rendering: Rendering,
    locate: Locate,
    *,
    pull: Pull = no_options,
    keep_unknown: bool = False,
    origin: str = "bundle",
    emit: Sink = ignore,
) -> GeneratedFile:
    """A values file with which the chart's images are where ``locate`` puts them.

    Raises ResourceError as rendering does, and ContentMissing for images that ``locate`` does not know.
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
    return GeneratedFile(name, content.encode(), len(goals), left)


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

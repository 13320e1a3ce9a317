# SPDX-License-Identifier: Apache-2.0
"""Make a values file that moves the images of a chart.

The chart is rendered with the values file before it is returned, and each image that is not at the target is reported.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airgap import kube
from airgap.errors import AirgapError, ContentMissing, Incomplete, ResourceError, raise_all
from airgap.events import Sink, Warned, ignore
from airgap.i18n import tr
from airgap.kube.render import chart, programs
from airgap.kube.render.inputs import PullOptions, chart_on_disk, check_options, no_pull_options, rendered_label
from airgap.kube.render.programs import Rendering
from airgap.kube.render.solver import solve
from airgap.oci import Reference
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.kube.rewrite.file_set import Locate


class GeneratedFile(Record):
    """A values file or an overlay.

    ``name`` is that of the chart or folder, ``images`` the number of images, and ``unmoved`` an error for each image
    that does not move, with its line in the rendering.
    """

    name: str
    content: bytes
    images: int
    unmoved: tuple[Incomplete, ...]


def values_file_for(
    path: str,
    rendering: Rendering,
    locate: Locate,
    *,
    pull: PullOptions = no_pull_options,
    keep_unknown: bool = False,
    origin: str = "bundle",
    emit: Sink = ignore,
) -> GeneratedFile:
    """Return a values file with which the chart's images are where ``locate`` puts them.

    Raises ResourceError if the chart cannot be rendered, and ContentMissing for images that ``locate`` does not know.
    """
    check_options([path], rendering)
    with chart_on_disk(path, pull) as chart_path, tempfile.TemporaryDirectory(prefix="airgap-values-") as folder:
        name = programs.chart_name(chart_path)
        extra = os.path.join(folder, "values.yaml")

        def render_with(values: Mapping[str, Any]) -> bytes:
            if not values:
                return programs.template(chart_path, name, rendering)
            with open(extra, "w", encoding="utf-8") as file:
                file.write(chart.dump(values))
            return programs.template(chart_path, name, rendering.over(extra))

        base = render_with({})
        targets = target_references(
            kube.scan(base, rendered_label(path)), locate, keep_unknown=keep_unknown, origin=origin, emit=emit
        )
        solved = solve(
            chart.computed_values(chart_path, name, rendering), base, targets, render_with, rendered_label(path)
        )
    why = tr("no value of the chart moves this image")
    command = f"helm template {name} {path} --include-crds | airgap rewrite - --to TARGET"
    hint = tr("change the chart, or rewrite what it renders: {command}", command=command)
    if solved.helm_message:
        hint = tr("other values were refused: {helm_message}\n  {hint}", helm_message=solved.helm_message, hint=hint)
    head = tr(
        "# Where the images of {name} are. The last values file wins: helm install NAME {path} -f … -f THIS_FILE\n",
        name=name,
        path=path,
    )
    content = head + (chart.dump(solved.values) or "{}\n")
    unmoved = unmoved_errors(solved.content, solved.unmoved, why, hint)
    return GeneratedFile(name, content.encode(), len(targets), unmoved)


def target_references(
    scan: kube.Scan, locate: Locate, *, keep_unknown: bool = False, origin: str = "bundle", emit: Sink = ignore
) -> dict[Reference, Reference]:
    """Return the target of each image of a rendering.

    Raises ContentMissing for unknown images, or warns about them with ``keep_unknown``; ``origin`` names where they are
    missing. Raises ResourceError if there is no image.
    """
    targets: dict[Reference, Reference] = {}
    errors: list[AirgapError] = []
    for site in scan.sites:
        target = locate(site.reference)
        if target is not None:
            targets[site.reference] = target
            continue
        where, what = (
            f"{site.file}:{site.line}",
            tr("{reference} is not in the {origin}", reference=site.reference, origin=origin),
        )
        if keep_unknown:
            emit(Warned(tr("{where}: {what}; left as it is", where=where, what=what)))
        else:
            errors.append(ContentMissing(what, where=where, hint=tr("export it too, or --keep-unknown leaves it")))
    raise_all(errors)
    if not scan.sites:
        raise ResourceError(tr("no image is named in what this renders to"))
    return targets


def unmoved_errors(content: bytes, sites: Sequence[kube.Site], why: str, hint: str) -> tuple[Incomplete, ...]:
    """Return an error for each site. It names the template, which is in helm's ``# Source:`` comment above the site."""
    errors = []
    for number, site in enumerate(sites, 1):
        comment = content.rfind(b"\n# Source: ", 0, site.scalar.start)
        line = content[comment + 11 : content.find(b"\n", comment + 1)] if comment >= 0 else b""
        source = line.decode("utf-8", "replace").strip()
        chart_path = f"{source}, {site.path}" if source else site.path
        errors.append(
            Incomplete(
                tr("{reference} stays ({chart_path}): {why}", reference=site.reference, chart_path=chart_path, why=why),
                where=f"{site.file}:{site.line}",
                hint=hint if number == len(sites) else None,
            )
        )
    return tuple(errors)

# SPDX-License-Identifier: Apache-2.0
"""Make a values file that moves the images of a chart.

The chart is rendered with the values file before it is returned, and each image that is not at the target is reported.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airgap import kube
from airgap.errors import AirgapError, ContentMissing, Incomplete, ResourceError, raise_all
from airgap.events import Sink, Warned, ignore
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.kube.render import chart, programs
from airgap.kube.render.inputs import PullOptions, chart_on_disk, check_options, no_pull_options, rendered_label
from airgap.kube.render.programs import Rendering
from airgap.kube.render.solver import solve
from airgap.kube.render.unmoved import crd_warnings, hook_warnings, left_by_post_renderer, sort_unmoved, unmoved_errors
from airgap.oci import Reference
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.kube.rewrite.file_set import Locate


class GeneratedFile(Record):
    """A values file or an overlay.

    ``name`` is that of the chart or folder, ``images`` the number of images, and ``unmoved`` an error for each image
    that does not move, with its line in the rendering. ``left`` are warnings about images that stay where they are and
    are no failure. ``post_renderer`` is the executable that was asked for; it moves ``post_rendered`` places.
    """

    name: str
    content: bytes
    images: int
    unmoved: tuple[Incomplete, ...]
    left: tuple[str, ...] = ()
    post_renderer: bytes = b""
    post_rendered: int = 0


def values_file_for(
    path: str,
    rendering: Rendering,
    locate: Locate,
    *,
    pull: PullOptions = no_pull_options,
    keep_unknown: bool = False,
    origin: str = "bundle",
    with_post_renderer: bool = False,
    emit: Sink = ignore,
) -> GeneratedFile:
    """Return a values file with which the chart's images are where ``locate`` puts them.

    ``with_post_renderer`` adds an executable that moves what no value moves. Images of hooks that do not move are no
    error: a test is run by nobody but ``helm test``, and the others are told.

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
    label = rendered_label(path)
    unmoved = sort_unmoved(solved.content, solved.unmoved, label)
    left = hook_warnings(unmoved, with_post_renderer=with_post_renderer)
    crds = f"helm show crds {quoted(path)} | airgap rewrite - --to TARGET | kubectl apply --server-side -f -"
    program, errors = b"", [*unmoved.templates, *unmoved.crd_files]
    if with_post_renderer:
        from airgap.kube.render.post_renderer import post_renderer

        program = post_renderer(name, targets)
        errors = left_by_post_renderer(solved.content, unmoved.templates, targets, label)
        left += crd_warnings(unmoved, crds)
    hint = tr("helm installs crds/ as it is; before that: {command}", command=crds)
    if with_post_renderer or unmoved.templates:
        hint = _hint(name, path, solved.helm_message, with_post_renderer=with_post_renderer)
    return GeneratedFile(
        name,
        (_head(name, path) + (chart.dump(solved.values) or "{}\n")).encode(),
        len(targets),
        unmoved_errors(errors, unmoved.origins, tr("no value of the chart moves this image"), hint),
        left,
        program,
        len(unmoved.templates) - len(errors) if with_post_renderer else 0,
    )


def _head(name: str, path: str) -> str:
    """The first line of the values file."""
    install = f"helm install NAME {quoted(path)} -f … -f THIS_FILE"
    return tr("# Where the images of {name} are. The last values file wins: {install}\n", name=name, install=install)


def _hint(name: str, path: str, helm_message: str, *, with_post_renderer: bool) -> str:
    """What helps with images that do not move."""
    command = f"helm template {name} {quoted(path)} --include-crds | airgap rewrite - --to TARGET"
    if with_post_renderer:
        hint = tr("rewrite what the chart renders: {command}", command=command)
    else:
        hint = tr(
            "--post-renderer FILE makes a program with which helm moves it; or rewrite what is rendered: {command}",
            command=command,
        )
    if helm_message:
        hint = tr("other values were refused ({helm_message}); {hint}", helm_message=helm_message, hint=hint)
    return hint


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

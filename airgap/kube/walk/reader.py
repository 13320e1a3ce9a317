# SPDX-License-Identifier: Apache-2.0
"""Read, render and scan the user's paths, and keep apart what cannot be read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from airgap.errors import AirgapError, ResourceError, raise_all
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.scan import scan
from airgap.kube.files import ResourceFile, load_readable
from airgap.kube.model import Scan
from airgap.kube.render import inputs, programs, unrendered
from airgap.kube.render.programs import Rendering
from airgap.kube.walk import skipped as skips
from airgap.kube.walk.kinds import is_resource_file
from airgap.kube.walk.reach import unreached_files
from airgap.kube.walk.skipped import SkippedFile
from airgap.records import Record, field

_LIBRARY = re.compile(r"^type[ \t]*:[ \t]*[\"']?library\b", re.MULTILINE)
_SHOWN = 3


class WalkOptions(Record):
    """How folders are read. ``walk`` reads a chart or a kustomization file by file instead of rendering it;
    ``render`` renders the charts inside of walks."""

    walk: bool = False
    render: bool = False


DEFAULT_WALK = WalkOptions()


class ReadFiles(Record, frozen=False):
    """The resource files with their scans, and what was not read.

    ``foreign`` are the paths of files that are no resource files. ``unreached`` maps each rendered folder to its files
    with images that the rendering does not reach.
    """

    files: list[tuple[ResourceFile, Scan]] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unreached: dict[str, list[str]] = field(default_factory=dict)

    def warnings(self) -> list[str]:
        """Return a warning for each group of skipped files and each folder that is not reached as a whole."""
        return [*skips.skip_warnings(self.skipped), *unrendered.unreached_warnings(self.unreached)]

    def notes(self, *, every: bool = False) -> list[str]:
        """Return the note about the files of other programs; it names the first ones, or ``every`` one."""
        if not self.foreign:
            return []
        shown = self.foreign if every else self.foreign[:_SHOWN]
        names = ", ".join(shown) + (", …" if len(self.foreign) > len(shown) else "")
        count = counted(len(self.foreign), "file")
        return [
            tr(
                "left out {count} with no Kubernetes object, kustomization, values file or compose file: {names}",
                count=count,
                names=names,
            )
        ]


def read(
    paths: Sequence[str],
    stdin: Callable[[], bytes] | None,
    *,
    more: Sequence[ResourceFile] = (),
    rendering: Rendering,
    pull: inputs.PullOptions,
    rules: CustomRules,
    options: WalkOptions,
) -> ReadFiles:
    """Render the charts and kustomizations among ``paths``, read the other paths, and scan all with ``more``.

    Raises ResourceError for all files that were named and cannot be read.
    """
    walked_folders = [path for path in paths if options.walk and os.path.isdir(path)]
    result = ReadFiles()
    to_render = [path for path in paths if path not in walked_folders]
    rendered, _ = inputs.rendered(to_render, rendering, pull)
    charts: list[str] = []
    to_read = [path for path in paths if path in walked_folders or not programs.renderable_kind(path)]
    found, unread = load_readable(to_read, stdin, _charts_collector(charts) if options.render else lambda _: False)
    result.skipped += map(skips.skip_unread, unread)
    local = [*found, *more]
    rendered += _rendered_charts(charts, result)
    errors: list[AirgapError] = []
    for file in [*local, *inputs.with_unique_names(rendered, {file.name for file in local})]:
        if file.walked and skips.is_chart_template(file):
            result.skipped.append(skips.skip_chart_template(file))
            continue
        try:
            found_sites = scan(file.content, file.path, rules, strict=not file.walked)
        except ResourceError as error:
            explained = unrendered.explain_template_error(error, file)
            if not file.walked:
                errors.append(explained)
            elif skips.is_foreign(file):
                result.foreign.append(file.path)
            else:
                result.skipped.append(skips.skip_refused(file, explained))
            continue
        except AirgapError as error:
            errors.append(error)
            continue
        if file.walked and not is_resource_file(file, found_sites):
            result.foreign.append(file.path)
        else:
            result.files.append((file, found_sites))
    raise_all(errors)
    for path in to_render:
        if os.path.isdir(path) and programs.renderable_kind(path) and (files := unreached_files(path, rules)):
            result.unreached[path] = files
    return result


def _charts_collector(charts: list[str]) -> Callable[[str], bool]:
    """Return a function that appends each folder with a chart to ``charts`` and keeps a walk out of it."""

    def prune(folder: str) -> bool:
        if programs.renderable_kind(folder) != programs.CHART:
            return False
        charts.append(folder)
        return True

    return prune


def _rendered_charts(charts: Sequence[str], result: ReadFiles) -> list[ResourceFile]:
    """Render the charts of a walk once each; add those that cannot be rendered to ``result.skipped``."""
    rendered = []
    for chart in charts:
        if _is_library(chart):
            result.foreign.append(os.path.join(chart, "Chart.yaml"))
            continue
        label = inputs.rendered_label(chart)
        try:
            name = programs.chart_name(chart)
            content = programs.template(chart, name, Rendering())
        except ResourceError as error:
            result.skipped.append(SkippedFile(f"{inputs.folder_name(chart)}.yaml", chart, skips.CHART, error))
            continue
        if content.strip():
            rendered.append(ResourceFile(f"{name}.yaml", label, content, walked=True))
    return rendered


def _is_library(chart: str) -> bool:
    """Whether the chart is a library, which helm does not render by itself."""
    try:
        with open(os.path.join(chart, "Chart.yaml"), "rb") as file:
            return _LIBRARY.search(file.read().decode("utf-8", "replace")) is not None
    except OSError:
        return False

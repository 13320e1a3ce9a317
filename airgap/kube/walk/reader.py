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
from airgap.kube.files import ResourceFile, empty_folder_error, load_readable
from airgap.kube.model import Scan
from airgap.kube.parse.budget import OverBudget
from airgap.kube.render import inputs, programs, unrendered
from airgap.kube.render.programs import Rendering
from airgap.kube.walk import skipped as skips
from airgap.kube.walk.kinds import is_resource_file
from airgap.kube.walk.reach import unreached_files
from airgap.kube.walk.skipped import SkippedFile
from airgap.records import Record, field

_LIBRARY = re.compile(r"^type[ \t]*:[ \t]*[\"']?library\b", re.MULTILINE)
#: The most names of foreign files, and of airgap's own, that a note shows.
_SHOWN, _SHOWN_OWN = 3, 8


class WalkOptions(Record):
    """How folders are read. ``walk`` reads a chart or a kustomization file by file instead of rendering it;
    ``render`` renders the charts inside of walks."""

    walk: bool = False
    render: bool = False


DEFAULT_WALK = WalkOptions()


class ReadFiles(Record, frozen=False):
    """The resource files with their scans, and what was not read.

    ``own`` are the paths of airgap's own files and folders, which a walk leaves out. ``foreign`` are the paths of files
    that are no resource files. ``unreached`` maps each rendered folder to its files with images that the rendering does
    not reach.
    """

    files: list[tuple[ResourceFile, Scan]] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unreached: dict[str, list[str]] = field(default_factory=dict)

    def warnings(self) -> list[str]:
        """Return a warning for each group of skipped files and each folder that is not reached as a whole."""
        return [*skips.skip_warnings(self.skipped), *unrendered.unreached_warnings(self.unreached)]

    def notes(self, *, every: bool = False) -> list[str]:
        """Return the notes about airgap's own files and those of other programs; they name the first, or ``every``."""
        return [*self._own_note(every=every), *self._foreign_note(every=every)]

    def _own_note(self, *, every: bool) -> list[str]:
        if not self.own:
            return []
        shown = self.own if every else self.own[:_SHOWN_OWN]
        hidden = len(self.own) - len(shown)
        more = tr(" and {paths_count} more", paths_count=hidden) if hidden else ""
        return [tr("skipped {paths}{more}: airgap's own files are no resources", paths=", ".join(shown), more=more)]

    def _foreign_note(self, *, every: bool) -> list[str]:
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
    is_own: Callable[[str], bool] = lambda _: False,
) -> ReadFiles:
    """Render the charts and kustomizations among ``paths``, read the other paths, and scan all with ``more``.

    Walks leave out airgap's own files and folders, for whose paths ``is_own`` returns true.

    Raises ResourceError for all files that were named and cannot be read.
    """
    walked_folders = [path for path in paths if options.walk and os.path.isdir(path)]
    result = ReadFiles()
    to_render = [path for path in paths if path not in walked_folders]
    rendered, _ = inputs.rendered(to_render, rendering, pull)
    charts = list(filter(_is_chart_folder, walked_folders)) if options.render else []
    to_read = [
        path for path in paths if path not in charts and (path in walked_folders or not programs.renderable_kind(path))
    ]

    def is_left_out(path: str) -> bool:
        if is_own(path):
            result.own.append(path)
            return True
        if options.render and _is_chart_folder(path):
            charts.append(path)
            return True
        return False

    loaded = load_readable(to_read, stdin, is_left_out)
    result.skipped += map(skips.skip_unread, loaded.unread)
    local = [*loaded.files, *more]
    rendered += _rendered_charts(charts, result)
    errors: list[AirgapError] = [
        empty_folder_error(folder)
        for folder in loaded.empty_folders
        if not any(chart.startswith(os.path.join(folder, "")) for chart in charts)
    ]
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
            elif skips.is_foreign(file) and not isinstance(error, OverBudget):
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
        if os.path.isdir(path) and programs.renderable_kind(path) and (files := unreached_files(path, rules, is_own)):
            result.unreached[path] = files
    return result


def _is_chart_folder(path: str) -> bool:
    return os.path.isdir(path) and programs.renderable_kind(path) == programs.CHART


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

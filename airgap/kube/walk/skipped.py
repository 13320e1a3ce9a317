# SPDX-License-Identifier: Apache-2.0
"""What was not read, with the reason, and one warning for each group of reasons."""

from __future__ import annotations

import os
from collections.abc import Sequence

from airgap.errors import AirgapError, Failures, Incomplete, ResourceError
from airgap.formatting import counted, quoted
from airgap.i18n import tr
from airgap.kube.files import ResourceFile, UnreadFile
from airgap.kube.parse import encodings
from airgap.kube.parse.budget import OverBudget
from airgap.kube.render.unrendered import chart_of
from airgap.records import Record

#: The groups of reasons, in the order of their warnings.
CHART_TEMPLATE, CHART, TEMPLATE, ENCODING, SYNTAX, LIMIT, UNREADABLE, OBJECTS = _GROUPS = (
    "chart-template", "chart", "template", "encoding", "syntax", "limit", "unreadable", "objects"
)  # fmt: skip
_SHOWN = 3


class SkippedFile(Record):
    """A file, or a chart, or a type of objects, that was not read.

    ``name`` is that of a resource file, and ``path`` is for messages. ``error`` is what a file that is named by the
    user is refused with. ``detail`` is the chart of a template, or the encoding.
    """

    name: str
    path: str
    group: str
    error: AirgapError
    detail: str = ""

    @property
    def why(self) -> str:
        """The reason without any path, for a bundle."""
        return self.error.what


def is_chart_template(file: ResourceFile) -> bool:
    """Return whether ``file`` is below the templates of a chart and holds something to fill in."""
    if b"{{" not in file.content:
        return False
    chart = chart_of(file.path)
    return bool(chart) and os.path.relpath(file.path, chart).startswith(f"templates{os.sep}")


def skip_chart_template(file: ResourceFile) -> SkippedFile:
    """Return the entry of a template of a chart."""
    chart = chart_of(file.path)
    error = ResourceError(
        tr("this is a template of a Helm chart, which names no images until it is rendered"),
        where=file.path,
        hint=f"airgap images {quoted(chart)}",
    )
    return SkippedFile(file.name, file.path, CHART_TEMPLATE, error, chart)


def skip_refused(file: ResourceFile, error: ResourceError) -> SkippedFile:
    """Return the entry of a file of a walk that the scan refuses with ``error``."""
    if isinstance(error, OverBudget):
        return SkippedFile(file.name, file.path, LIMIT, error)
    wide = encodings.wide_encoding(file.content)
    if wide or encodings.is_other_encoding(file.content):
        encoding = wide or (encodings.KOREAN if encodings.is_korean(file.content) else "")
        return SkippedFile(file.name, file.path, ENCODING, error, encoding)
    group = TEMPLATE if b"{{" in file.content or b"{%" in file.content else SYNTAX
    return SkippedFile(file.name, file.path, group, error)


def skip_unread(file: UnreadFile) -> SkippedFile:
    """Return the entry of a file of a walk that cannot be read."""
    group = LIMIT if isinstance(file.error, OverBudget) else UNREADABLE
    return SkippedFile(file.name, file.path, group, file.error)


def is_foreign(file: ResourceFile) -> bool:
    """Return whether a file that does not parse is JSON of another program, such as JSON with comments."""
    return file.path.lower().endswith(".json") and b"apiVersion" not in file.content


def skip_warnings(skipped: Sequence[SkippedFile]) -> list[str]:
    """Return one warning for each group, with the command that helps."""
    warnings = []
    groups: dict[tuple[str, str], list[SkippedFile]] = {}
    for item in skipped:
        groups.setdefault((item.group, item.detail if item.group == ENCODING else ""), []).append(item)
    for (group, detail), items in sorted(groups.items(), key=lambda entry: _GROUPS.index(entry[0][0])):
        warnings.append(_warning(group, detail, items))
    return warnings


def skip_error(skipped: Sequence[SkippedFile], *, strict: bool) -> AirgapError | None:
    """Return the error of a result without ``skipped``; with ``strict`` it holds one error for each."""
    if not skipped:
        return None
    if strict:
        errors = [item.error if item.error.where else _with_path(item) for item in skipped]
        return errors[0] if len(errors) == 1 else Failures(errors)
    if all(item.group == OBJECTS for item in skipped):
        what = counted(len(skipped), "type of objects", "types of objects")
    else:
        what = counted(len(skipped), "file")
    return Incomplete(
        tr("{what} could not be read and may name more images", what=what),
        hint=tr("--strict names each and why"),
    )


def _with_path(item: SkippedFile) -> ResourceError:
    return ResourceError(item.error.what, where=item.path, hint=item.error.hint)


def _warning(group: str, detail: str, items: Sequence[SkippedFile]) -> str:
    files, paths, reasons = counted(len(items), "file"), _paths(items), _reasons(items)
    if group == CHART_TEMPLATE:
        return _chart_warning(items)
    if group == ENCODING:
        encoding, hint = detail or tr("another encoding"), items[0].error.hint or ""
        return tr(
            "skipped {files} in {encoding}: {paths}; {hint}", files=files, encoding=encoding, paths=paths, hint=hint
        )
    if group == TEMPLATE:
        templates = counted(len(items), "template")
        return tr("skipped {templates} with {{{{ }}}} or {{% %}}: {paths}", templates=templates, paths=paths)
    if group == SYNTAX:
        return tr("skipped {files} in which YAML or JSON does not parse: {reasons}", files=files, reasons=reasons)
    if group == LIMIT:
        return tr(
            "skipped {files} past a limit: {reasons}; {hint}",
            files=files,
            reasons=reasons,
            hint=items[0].error.hint or "",
        )
    if group == CHART:
        charts = counted(len(items), "chart")
        return tr("skipped {charts} that could not be rendered: {reasons}", charts=charts, reasons=reasons)
    if group == OBJECTS:
        types = counted(len(items), "type")
        return tr("skipped {types} of objects: {reasons}", types=types, reasons=reasons)
    return tr("skipped {files} that cannot be read: {reasons}", files=files, reasons=reasons)


def _chart_warning(items: Sequence[SkippedFile]) -> str:
    """``27 templates of the chart charts/x: airgap images charts/x``, and the other charts after it."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.detail] = counts.get(item.detail, 0) + 1
    (chart, number), *others = counts.items()
    templates, argument = counted(number, "template"), quoted(chart)
    if not others:
        return tr(
            "skipped {templates} of the chart {chart}: airgap images {argument}",
            templates=templates,
            chart=chart,
            argument=argument,
        )
    rest = ", ".join(tr("{number} of {chart}", number=number, chart=chart) for chart, number in others[:_SHOWN])
    if len(others) > _SHOWN:
        more = counted(len(others) - _SHOWN, "more chart")
        return tr(
            "skipped {templates} of the chart {chart}: airgap images {argument}; also {rest} and those of {more}; "
            "--render renders every chart",
            templates=templates,
            chart=chart,
            argument=argument,
            rest=rest,
            more=more,
        )
    return tr(
        "skipped {templates} of the chart {chart}: airgap images {argument}; also {rest}; --render renders every chart",
        templates=templates,
        chart=chart,
        argument=argument,
        rest=rest,
    )


def _paths(items: Sequence[SkippedFile]) -> str:
    return ", ".join(item.path for item in items[:_SHOWN]) + _more(items)


def _reasons(items: Sequence[SkippedFile]) -> str:
    return ", ".join(f"{item.error.where or item.path} ({item.why})" for item in items[:_SHOWN]) + _more(items)


def _more(items: Sequence[SkippedFile]) -> str:
    return tr(" and {number} more (--strict names each)", number=len(items) - _SHOWN) if len(items) > _SHOWN else ""

# SPDX-License-Identifier: Apache-2.0
"""Explain inputs that need to be rendered first.

These are templates of a chart given as files, and charts and kustomizations inside a given folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from airgap import kube
from airgap.errors import ResourceError
from airgap.formatting import counted, quoted
from airgap.i18n import tr
from airgap.kube.render import programs

#: Syntax of helm's templates that other template languages do not have.
_HELM = re.compile(
    rb"\{\{-?\s*(?:/\*|(?:(?:if|with|range|else|toYaml|tpl|quote|default|\()[\s(]*)?(?:(?:not|and|or|eq)\s+)?"
    rb"(?:\.|\$\.?)(?:Values|Release|Chart|Capabilities)\b|include\s+\"|template\s+\"|define\s+\")"
)


def explain_template_error(error: ResourceError, file: kube.ResourceFile) -> ResourceError:
    """Return ``error``, or for a template of a chart an error that says how to render it."""
    hint = render_hint([file])
    if hint is None:
        return error
    what = tr("this is a template of a Helm chart, which is no YAML and names no images until it is rendered")
    return ResourceError(what, where=error.where or file.path, hint=hint)


def render_hint(files: Iterable[kube.ResourceFile]) -> str | None:
    """Return the command that renders the first helm template among ``files`` below a chart, or ``None``."""
    for file in files:
        if (chart := chart_of(file.path)) and _HELM.search(file.content):
            return tr(
                "render it: helm template {shown} | airgap images -; or give the chart: airgap images {shown}",
                shown=quoted(chart),
            )
    return None


def chart_of(path: str) -> str:
    """Return the folder above ``path`` with a Chart.yaml, or ""."""
    if path == "-" or "://" in path:
        return ""
    return next((str(folder) for folder in Path(path).parents if (folder / "Chart.yaml").is_file()), "")


def unrendered_folders(paths: Sequence[str], files: Iterable[str]) -> tuple[str, ...]:
    """Return the charts and kustomizations inside the given folders that contain some of ``files``, sorted."""
    tops = [path for path in paths if os.path.isdir(path)]
    checked: set[str] = set()
    renderable: set[str] = set()
    for file in files:
        top = next((top for top in tops if file.startswith(os.path.join(top, ""))), None)
        folder = os.path.dirname(file)
        while top is not None and len(folder) > len(top.rstrip("/")) and folder not in checked:
            checked.add(folder)
            if programs.renderable_kind(folder):
                renderable.add(folder)
            folder = os.path.dirname(folder)
    return tuple(sorted(renderable))


def unrendered_warnings(folders: Sequence[str]) -> list[str]:
    """Return one warning for all of ``folders``, with the command for the first. Returns [] for no folders."""
    if not folders:
        return []
    first, *others = folders
    what = "chart" if programs.renderable_kind(first) == programs.CHART else "kustomization"
    more = (
        tr(
            " (and so are {others}{rest})",
            others=", ".join(others[:3]),
            rest=tr(" and others") if len(others) > 3 else "",
        )
        if others
        else ""
    )
    return [
        tr(
            "{first}: inside a folder this {what} is not rendered but read file by file{more}; "
            "for what it makes: airgap images {argument}",
            first=first,
            what=what,
            more=more,
            argument=quoted(first),
        )
    ]


def unreached_warnings(unreached: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a warning for each rendered folder with files that name images and are not reached, by folder."""
    warnings = []
    for folder, files in unreached.items():
        what = "chart" if programs.renderable_kind(folder) == programs.CHART else "kustomization"
        count = counted(len(files), "file")
        warnings.append(
            tr(
                "{folder}: rendering this {what} does not reach {count} with images, such as {first}; "
                "to read all files: airgap images --walk {argument}",
                folder=folder,
                what=what,
                count=count,
                first=files[0],
                argument=quoted(folder),
            )
        )
    return warnings

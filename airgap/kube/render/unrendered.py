# SPDX-License-Identifier: Apache-2.0
"""What was not rendered: templates of a chart that were given as files, and charts and kustomizations inside of a
folder that was given. Both are recognised, so that what is said is what to run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from airgap import kube
from airgap.errors import ResourceError
from airgap.kube.render import programs as render

#: What helm's templates say and other programs' templates do not.
_HELM = re.compile(
    rb"\{\{-?\s*(?:/\*|(?:(?:if|with|range|else|toYaml|tpl|quote|default|\()[\s(]*)?(?:(?:not|and|or|eq)\s+)?"
    rb"(?:\.|\$\.?)(?:Values|Release|Chart|Capabilities)\b|include\s+\"|template\s+\"|define\s+\")"
)


def explained(error: ResourceError, file: kube.ResourceFile) -> ResourceError:
    """The same error, or for a template what it is and what renders it."""
    hint = advice([file])
    if hint is None:
        return error
    what = "this is a template of a Helm chart, which is no YAML and names no images until it is rendered"
    return ResourceError(what, where=error.where or file.path, hint=hint)


def advice(files: Iterable[kube.ResourceFile]) -> str | None:
    """What to run for the first template among ``files``, if there is one."""
    for file in files:
        if _HELM.search(file.content):
            chart = _chart_of(file.path)
            return f"airgap images {chart or 'CHART'}, or: helm template {chart or 'CHART'} | airgap images -"
    return None


def _chart_of(path: str) -> str:
    """The folder with Chart.yaml that ``path`` lies in."""
    if path == "-" or "://" in path:
        return ""
    return next((str(folder) for folder in Path(path).parents if (folder / "Chart.yaml").is_file()), "")


def passed_by(paths: Sequence[str], files: Iterable[str]) -> tuple[str, ...]:
    """The charts and kustomizations below the folders ``paths`` that ``files``, their members, lie in, sorted."""
    tops = [path for path in paths if os.path.isdir(path)]
    seen: dict[str, bool] = {}
    for file in files:
        top = next((top for top in tops if file.startswith(os.path.join(top, ""))), None)
        folder = os.path.dirname(file)
        while top is not None and len(folder) > len(top.rstrip("/")) and folder not in seen:
            seen[folder] = render.what_is(folder) != ""
            folder = os.path.dirname(folder)
    return tuple(sorted(folder for folder, is_one in seen.items() if is_one))


def unrendered(folders: Sequence[str]) -> list[str]:
    """One warning for all of ``folders``, with the command for the first; nothing for none."""
    if not folders:
        return []
    first, *others = folders
    what = "chart" if render.what_is(first) == render.CHART else "kustomization"
    more = f" (and so are {', '.join(others[:3])}{' and others' if len(others) > 3 else ''})" if others else ""
    return [
        f"{first}: inside a folder this {what} is not rendered but read file by file{more}; "
        f"for what it makes: airgap images {first}"
    ]

# SPDX-License-Identifier: Apache-2.0
"""Files that are templates of a chart, not rendered: recognised, so that what is said is what to run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from airgap import kube
from airgap.errors import ResourceError

#: What helm's templates say and other programs' templates do not.
_HELM = re.compile(
    rb"\{\{-?\s*(?:/\*|(?:if|with|range|else|toYaml|tpl|quote|default)?[\s(]*(?:(?:not|and|or|eq)\s+)?"
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

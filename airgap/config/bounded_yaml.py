# SPDX-License-Identifier: Apache-2.0
"""The YAML of ``airgap.yaml``: its bytes and nodes are counted before it is composed."""

from __future__ import annotations

import itertools
from typing import Any

from airgap import limits
from airgap.errors import UsageError
from airgap.i18n import tr


def compose(content: bytes, where: str) -> Any:
    """Return the root node of a document, ``None`` for an empty one.

    Raises :class:`UsageError` for what is no YAML, and past the limits ``project-bytes`` and ``project-values``.
    """
    import yaml

    _check("project-bytes", len(content), where)
    loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        _check("project-values", _count_nodes(content, loader), where)
        return yaml.compose(content, Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise UsageError(
            tr("this is no YAML: {getattr}", getattr=getattr(error, "problem", None) or error), where=place
        ) from error


def _count_nodes(content: bytes, loader: Any) -> int:
    """How many nodes there are, or a number past the limit."""
    import yaml

    # Each node has one event, or two where it contains others.
    events = itertools.islice(yaml.parse(content, loader), 2 * limits.value("project-values") + 16)
    return sum(isinstance(event, yaml.NodeEvent) for event in events)


def _check(name: str, found: int, where: str) -> None:
    most = limits.value(name)
    if found <= most:
        return
    if name == "project-bytes":
        raise UsageError(tr("this file has more than {most:,} bytes", most=most), where=where, hint=limits.hint(name))
    raise UsageError(tr("this file has more than {most:,} values", most=most), where=where, hint=limits.hint(name))

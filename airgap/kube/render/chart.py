# SPDX-License-Identifier: Apache-2.0
"""Read a chart's computed values, change single ones, and write a small values file.

Helm computes the values (defaults, subcharts under their aliases, the user's files and ``--set``): a copy of the chart
gets one more template that prints them. Helm's merging is not reimplemented here.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, ResourceError
from airgap.i18n import tr
from airgap.kube.render import programs

#: The path of a value: keys of mappings and indexes of lists.
Path = tuple["str | int", ...]

#: JSON values of a chart's values, and their levels.
_MAX_VALUES, _MAX_DEPTH = 1_048_576, 200
_PROBE = "templates/airgap-values.yaml"
_PROBE_TEXT = """apiVersion: v1
kind: ConfigMap
metadata: {name: airgap-values}
data: {values: "{{ .Values | toJson | b64enc }}"}
"""
_MOST_BYTES = 256 << 20
_MOST_MEMBERS = 20_000
#: Keys that need no quotes in YAML.
_PLAIN_KEY = re.compile(r"(?!(?i:y|n|yes|no|on|off|true|false|null)$)[A-Za-z_][A-Za-z0-9_./-]*")


def computed_values(path: str, name: str, rendering: programs.Rendering) -> dict[str, Any]:
    """Return the chart's computed values. Raises ResourceError if helm cannot render it or its archive is unsafe."""
    with tempfile.TemporaryDirectory(prefix="airgap-chart-") as folder:
        copy = os.path.join(folder, "chart")
        if os.path.isdir(path):
            try:
                # Links are followed, as helm does: a dependency may lie outside of the chart. helm refuses broken ones.
                shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".git"))
            except (OSError, shutil.Error) as error:
                raise ResourceError(tr("this chart cannot be read: {error}", error=error), where=path) from error
        else:
            copy = _unpack(path, copy)
        os.makedirs(os.path.join(copy, "templates"), exist_ok=True)
        with open(os.path.join(copy, _PROBE), "w", encoding="utf-8") as file:
            file.write(_PROBE_TEXT)
        try:
            rendered = programs.template(copy, name, rendering, only=_PROBE)
        except ResourceError as error:
            raise ResourceError(error.what.replace(copy, path), where=path) from error
    encoded = re.search(rb'values: "([A-Za-z0-9+/=]*)"', rendered)
    try:
        content = base64.b64decode(encoded[1]) if encoded else b"null"
        bounded_json.check(content, values=_MAX_VALUES, depth=_MAX_DEPTH)
        values = json.loads(content, parse_float=_number)
    except (ValueError, binascii.Error, ContentError):
        values = None
    if not isinstance(values, dict):
        raise ResourceError(tr("helm does not tell this chart's values"), where=path)
    return values


def _number(text: str) -> int | float:
    """Read a number as int where possible: helm writes large whole numbers as 1e+06."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _unpack(archive: str, folder: str) -> str:
    """Extract a chart's archive into ``folder`` and return the folder of the chart in it."""
    remaining_bytes, member_count, tops = _MOST_BYTES, 0, set()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                member_count += 1
                remaining_bytes -= member.size
                parts = [part for part in member.name.split("/") if part not in ("", ".")]
                if remaining_bytes < 0 or member_count > _MOST_MEMBERS:
                    raise ResourceError(tr("this archive is larger than any chart"), where=archive)
                if not member.isfile() or not parts:
                    continue
                if ".." in parts or "\\" in member.name or member.name.startswith("/"):
                    raise ResourceError(tr("{name!r} would lie outside of the chart", name=member.name), where=archive)
                tops.add(parts[0])
                target = os.path.join(folder, *parts)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None  # a regular file has content
                with content, open(target, "wb") as file:
                    shutil.copyfileobj(content, file)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise ResourceError(tr("this is no chart's archive: {error}", error=error), where=archive) from error
    if len(tops) != 1:
        raise ResourceError(tr("a chart's archive holds one folder"), where=archive)
    return os.path.join(folder, tops.pop())


def text_values(values: Any, start: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield path and text of every text value; null counts as an empty text. ``global`` is read only at the top."""
    pending = [(start, values)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str) or (value is None and path):
            yield path, value or ""
        elif isinstance(value, dict):
            pending += [
                ((*path, key), child) for key, child in reversed(value.items()) if not (path and key == "global")
            ]
        elif isinstance(value, list):
            pending += [((*path, index), child) for index, child in reversed(list(enumerate(value)))]


def mapping_paths(values: Any) -> Iterator[Path]:
    """Yield the path of every mapping below the top that is not inside a list. ``global`` is read only at the top."""
    pending: list[tuple[Path, Any]] = [((), values)]
    while pending:
        path, value = pending.pop()
        if path:
            yield path
        pending += [
            ((*path, key), child)
            for key, child in reversed(value.items())
            if isinstance(child, dict) and not (path and key == "global")
        ]


def overlay(values: Mapping[str, Any], changes: Mapping[Path, str]) -> dict[str, Any]:
    """Return a values tree with only ``changes``. A changed list is complete, because helm replaces whole lists."""
    tree: dict[str, Any] = {}
    for path, text in changes.items():
        old_node: Any = values
        new_node: Any = tree
        for key, next_key in itertools.pairwise(path):
            old_node = _child(old_node, key)
            if isinstance(new_node, list):
                assert isinstance(key, int)
                new_node = new_node[key]
            else:
                is_list = isinstance(old_node, list) and isinstance(next_key, int)
                new_node = new_node.setdefault(key, json.loads(json.dumps(old_node)) if is_list else {})
        new_node[path[-1]] = text
    return tree


def _child(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    return value[key] if isinstance(value, list) and isinstance(key, int) else None


def dump(values: Mapping[str, Any], indent: str = "") -> str:
    """Return YAML with block mappings and every text in double quotes."""
    lines = []
    for key, value in sorted(values.items()):
        shown = key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)
        if isinstance(value, dict) and value:
            lines.append(f"{indent}{shown}:\n{dump(value, indent + '  ')}")
        elif isinstance(value, list) and value:
            items = "".join(f"{indent}  - {json.dumps(item, ensure_ascii=False)}\n" for item in value)
            lines.append(f"{indent}{shown}:\n{items}")
        else:
            lines.append(f"{indent}{shown}: {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)

# SPDX-License-Identifier: Apache-2.0
"""A chart's values: read as helm computes them, changed at single places, and written as a small values file.

What helm computes (defaults, subcharts under their aliases, the user's files and ``--set``) is asked of helm itself:
a copy of the chart gets one more template that prints its values. Nothing of helm's merging is done again here.
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

from airgap.errors import ResourceError
from airgap.kube.render import programs as render

#: Where a value stands: keys of mappings and indexes of lists.
Path = tuple["str | int", ...]

_PROBE = "templates/airgap-values.yaml"
_PROBE_TEXT = """apiVersion: v1
kind: ConfigMap
metadata: {name: airgap-values}
data: {values: "{{ .Values | toJson | b64enc }}"}
"""
_MOST_BYTES = 256 << 20
_MOST_MEMBERS = 20_000
#: Keys that YAML reads as text without quotes.
_PLAIN_KEY = re.compile(r"(?!(?i:y|n|yes|no|on|off|true|false|null)$)[A-Za-z_][A-Za-z0-9_./-]*")


def values_of(path: str, name: str, rendering: render.Rendering) -> dict[str, Any]:
    """The chart's computed values; raises ResourceError where helm cannot render it or its archive is unsafe."""
    with tempfile.TemporaryDirectory(prefix="airgap-chart-") as folder:
        copy = os.path.join(folder, "chart")
        if os.path.isdir(path):
            try:
                shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".git"), ignore_dangling_symlinks=True)
            except (OSError, shutil.Error) as error:
                raise ResourceError(f"this chart cannot be read: {error}", where=path) from error
        else:
            copy = _unpack(path, copy)
        os.makedirs(os.path.join(copy, "templates"), exist_ok=True)
        with open(os.path.join(copy, _PROBE), "w", encoding="utf-8") as file:
            file.write(_PROBE_TEXT)
        said = render.template(copy, name, rendering, only=_PROBE)
    found = re.search(rb'values: "([A-Za-z0-9+/=]*)"', said)
    try:
        values = json.loads(base64.b64decode(found[1]), parse_float=_number) if found else None
    except (ValueError, binascii.Error):
        values = None
    if not isinstance(values, dict):
        raise ResourceError("helm does not tell this chart's values", where=path)
    return values


def _number(text: str) -> int | float:
    """helm writes large whole numbers as 1e+06."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _unpack(archive: str, folder: str) -> str:
    """The files of a chart's archive, none of them outside of ``folder``; the folder of the chart itself."""
    budget, members, tops = _MOST_BYTES, 0, set()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                members += 1
                budget -= member.size
                parts = [part for part in member.name.split("/") if part not in ("", ".")]
                if budget < 0 or members > _MOST_MEMBERS:
                    raise ResourceError("this archive is larger than any chart", where=archive)
                if not member.isfile() or not parts:
                    continue
                if ".." in parts or "\\" in member.name or member.name.startswith("/"):
                    raise ResourceError(f"{member.name!r} would lie outside of the chart", where=archive)
                tops.add(parts[0])
                target = os.path.join(folder, *parts)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None  # a regular file has content
                with content, open(target, "wb") as file:
                    shutil.copyfileobj(content, file)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise ResourceError(f"this is no chart's archive: {error}", where=archive) from error
    if len(tops) != 1:
        raise ResourceError("a chart's archive holds one folder", where=archive)
    return os.path.join(folder, tops.pop())


def leaves(values: Any, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text with its place, and every null as an empty one; ``global`` only where it is written, at the top."""
    waiting = [(at, values)]
    while waiting:
        here, value = waiting.pop()
        if isinstance(value, str) or (value is None and here):
            yield here, value or ""
        elif isinstance(value, dict):
            waiting += [
                ((*here, key), inner) for key, inner in reversed(value.items()) if not (here and key == "global")
            ]
        elif isinstance(value, list):
            waiting += [((*here, number), inner) for number, inner in reversed(list(enumerate(value)))]


def overlay(values: Mapping[str, Any], changes: Mapping[Path, str]) -> dict[str, Any]:
    """A values tree with nothing but ``changes``; a list is there as a whole, since helm replaces it as a whole."""
    made: dict[str, Any] = {}
    for path, text in changes.items():
        old: Any = values
        new: Any = made
        for step, after in itertools.pairwise(path):
            old = _inside(old, step)
            if isinstance(new, list):
                assert isinstance(step, int)
                new = new[step]
            else:
                fresh = json.loads(json.dumps(old)) if isinstance(old, list) and isinstance(after, int) else {}
                new = new.setdefault(step, fresh)
        new[path[-1]] = text
    return made


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) else None


def dump(values: Mapping[str, Any], indent: str = "") -> str:
    """As YAML: mappings over lines, every text in double quotes, lists in brackets."""
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

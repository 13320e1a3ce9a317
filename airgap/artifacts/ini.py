# SPDX-License-Identifier: Apache-2.0
"""Sets keys of a settings file with sections (``[global]``, ``key = value``), leaving every other byte as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECTION = re.compile(r"\[([^\]]*)\]\s*")


def set_in_section(content: bytes, section: str, values: Mapping[str, str]) -> bytes:
    """Return ``content`` with ``values`` in ``section``: existing keys are replaced, with the lines that continue them;
    others are added behind the section's heading, which is added at the end if it is missing."""
    lines = content.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    rest, result, current, skipping = dict(values), [], "", False
    heading_at = None
    for line in lines:
        if match := _SECTION.fullmatch(line.strip()):
            current, skipping = match[1].strip(), False
            result.append(line)
            if current == section and heading_at is None:
                heading_at = len(result)
            continue
        if skipping and line[:1].isspace() and line.strip():
            continue  # a continued value that was replaced
        skipping = False
        key = re.split(r"[=:]", line, maxsplit=1)[0].strip() if not line[:1].isspace() else ""
        if current == section and key in values:
            skipping = True
            if key in rest:
                result.append(f"{key} = {rest.pop(key)}\n")
            continue
        result.append(line)
    if rest:
        if result and not result[-1].endswith("\n"):
            result[-1] += "\n"
        added = [f"{key} = {value}\n" for key, value in rest.items()]
        if heading_at is None:
            result += [f"[{section}]\n", *added]
        else:
            result[heading_at:heading_at] = added
    return "".join(result).encode("utf-8", "surrogateescape")

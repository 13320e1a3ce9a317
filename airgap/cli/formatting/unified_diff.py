# SPDX-License-Identifier: Apache-2.0
"""Unified diffs as ``patch`` accepts them. Only LF ends a line there: U+2028 and the like are parts of lines."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airgap.kube.rewrite.file_set import RewrittenFile


def unified_diff(name: str, before: bytes | None, after: bytes) -> list[str]:
    """Return the lines of a diff, each with its line end; none if nothing changes.

    ``name`` is a path without a leading slash. ``before`` is ``None`` for a new file. Bytes that are not UTF-8 are
    replaced.
    """
    old_lines, new_lines = (
        re.findall(r".*\n|.+", content.decode("utf-8", "replace")) for content in (before or b"", after)
    )
    old_name = "/dev/null" if before is None else f"a/{name}"
    return [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old_lines, new_lines, old_name, f"b/{name}")
    ]


def file_diff(file: RewrittenFile) -> str:
    """Return the diff of a rewritten resource file; an empty string if nothing changes."""
    name = file.path.lstrip("/") if file.path != "-" else file.name
    return "".join(unified_diff(name, file.before, file.after))

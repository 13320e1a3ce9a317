# SPDX-License-Identifier: Apache-2.0
"""Finds text that is aligned by the number of its characters. A Hangul syllable is two columns wide."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_ALIGNS = {"ljust", "rjust", "center"}
_SPECIFIER = re.compile(r".?[<>^]")


def places(root: Path) -> list[str]:
    """Return ``file:line`` of each such place in the command line below ``root``."""
    found: list[str] = []
    for path in sorted((root / "airgap/cli").rglob("*.py")):
        lines = [node.lineno for node in ast.walk(ast.parse(path.read_text())) if _aligns(node)]  # type: ignore[attr-defined]
        found += [f"{path.relative_to(root).as_posix()}:{line}" for line in lines]
    return found


def _aligns(node: ast.AST) -> bool:
    if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
        first = node.format_spec.values[0] if node.format_spec.values else None
        return isinstance(first, ast.Constant) and bool(_SPECIFIER.match(str(first.value)))
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ALIGNS

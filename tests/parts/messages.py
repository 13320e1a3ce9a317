# SPDX-License-Identifier: Apache-2.0
"""The texts in airgap's source that hold a command of airgap, or the field ``{same_command}`` for the one that was
given: what a message tells the user to run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airgap.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
#: A field of a message, as ``str.format`` has it.
_FIELD = re.compile(r"(?<!\{)\{\w+(?:![rs])?(?::[^{}]*)?\}")
_COMMAND_FIELD = "{same_command}"
_COMMAND = re.compile(rf"\bairgap (?:{'|'.join(COMMANDS)})\b")


@dataclass(frozen=True)
class PrintedText:
    """A literal of ``place`` (``file:line``); ``text`` has ``{}`` where a value is put in."""

    place: str
    text: str


def printed_texts() -> list[PrintedText]:
    """Every string and f-string in ``airgap/`` with a command in it, but docstrings and texts of ``--help``."""
    found = []
    for path in sorted((ROOT / "airgap").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for line, text in _texts(tree):
            if _COMMAND.search(text) or _COMMAND_FIELD in text:
                found.append(PrintedText(f"{path.relative_to(ROOT)}:{line}", text))
    return found


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.keyword) and node.arg == "help":
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, _FIELD.sub(lambda field: field[0] if field[0] == _COMMAND_FIELD else "{}", node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        else:
            yield from _texts(node)

# SPDX-License-Identifier: Apache-2.0
"""Collects messages: calls of ``tr``, ``plural`` and the like, the help of commands, and the texts of explain."""

from __future__ import annotations

import ast
import inspect
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

#: Files that translate texts which are no literals: docstrings of commands, and the texts of explain.
INDIRECT = {"airgap/cli/app.py", "airgap/explain/messages.py", "airgap/formatting.py"}
EXPLAIN_DATA = "airgap/explain/data/messages.yaml"


@dataclass(frozen=True)
class Message:
    """A text in English. ``plural`` is the form for other numbers than one, or empty. ``file`` is where it is."""

    text: str
    plural: str
    file: str

    @property
    def fields(self) -> set[str]:
        """The names of the fields in the text."""
        return {name for _, name, _, _ in string.Formatter().parse(self.text) if name}


class MessageError(Exception):
    """A message that cannot be translated as it is written."""


def messages(root: Path) -> list[Message]:
    """Return all messages below ``root``/airgap, sorted by file, then in the order of the file.

    Raises :class:`MessageError` for one that is no literal, or whose fields are not those that it is given.
    """
    found: list[Message] = []
    for path in sorted((root / "airgap").rglob("*.py")):
        found += _of_module(ast.parse(path.read_text()), path.relative_to(root).as_posix())
    return found + _of_explain(root)


def _of_module(tree: ast.Module, file: str) -> Iterator[Message]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and file.startswith("airgap/cli/") and _is_command(node):
            help_text = ast.get_docstring(node, clean=False)
            if help_text:
                yield Message(inspect.cleandoc(help_text), "", file)
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id in ("tr", "bilingual"):
            if file in INDIRECT and not isinstance(node.args[0], ast.Constant):
                continue
            yield _checked(Message(_literal(node, 0, file), "", file), node)
        elif node.func.id in ("plural", "plural_form") and file not in ("airgap/i18n.py", "airgap/formatting.py"):
            yield Message(_literal(node, 0, file), _literal(node, 1, file), file)
        elif node.func.id == "counted":
            noun = _literal(node, 1, file)
            many = _literal(node, 2, file) if len(node.args) > 2 else f"{noun}s"
            yield Message(f"{{number}} {noun}", f"{{number}} {many}", file)


def _is_command(node: ast.FunctionDef) -> bool:
    names = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(name.startswith(("click.command", "click.group")) for name in names)


def _literal(call: ast.Call, index: int, file: str) -> str:
    argument = call.args[index]
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    raise MessageError(f"{file}:{call.lineno}: the text must be a literal: {ast.unparse(argument)[:80]}")


def _checked(message: Message, call: ast.Call) -> Message:
    given = {keyword.arg for keyword in call.keywords}
    if None not in given and given and message.fields != given:
        raise MessageError(f"{message.file}:{call.lineno}: the fields are {sorted(message.fields)}, given are {given}")
    return message


def _of_explain(root: Path) -> list[Message]:
    return [
        Message(text, "", EXPLAIN_DATA)
        for item in yaml.safe_load((root / EXPLAIN_DATA).read_text())
        for text in (item["title"], item["cause"], *(step["say"] for step in item["steps"]))
    ]

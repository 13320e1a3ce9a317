# SPDX-License-Identifier: Apache-2.0
"""Finds text for people that is not translated: literals in errors, events and findings, and sentences elsewhere.

A literal is taken for text if two words follow each other in it. What is none of airgap's own words is told by the
call that it is passed to (regular expressions, log lines, responses of ``airgap serve``, which are in English for
programs), or is listed in ``verbatim.txt``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

VERBATIM = Path(__file__).with_name("verbatim.txt")
#: Two words in a row, with the marks that may stand between them.
_SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:)'’}]* [(\"'{]*[A-Za-z{]")
_WORD = re.compile(r"[A-Za-z]{2}")
#: Calls whose text is shown to the user.
_SHOWS = re.compile(
    r"\w*(Error|Missing|Mismatch|Failure|Unavailable|Unauthorized|NotFound|Rejected|NotReady|Transient|Interrupted"
    r"|Incomplete|WouldChange|InvalidReference|AccountLocked|FileLocked|UnsupportedBundle|CredentialsInAddress"
    r"|RealmMissing)|click\.(UsageError|BadParameter|ClickException|confirm|prompt)|Warned|Noted|Finding|Refusal|Rule"
    r"|NodeSetup|SettingChange|context\.(note|warn)|self\.context\.(note|warn)"
)
#: Calls that print: here a single word is a message too.
_PRINTS = {"note", "say"}
#: Calls whose text is for programs or for developers.
_INTERNAL = re.compile(
    r"re\.\w+|_?log\w*\.\w+|Problem|digest_invalid|TypeError|AttributeError|RuntimeError|AssertionError|TypeVar|NewType"
    r"|(.*\.)?retry\.\w+|Retrying|start_response|ClientDisconnected|headers\.append|_hosts_toml|Insertion|open_pipe"
    r"|.*\.(startswith|endswith|find|index|split|partition|removeprefix|removesuffix|encode|sub|search|match|fullmatch)"
    r"|click\.(command|argument|Path|Choice)"
)
_INTERNAL_KEYWORDS = {"run", "metavar", "headers", "prefix", "suffix", "code", "default", "style", "fg", "media_type"}
#: Positions of arguments that are no text: the level of a finding, the pattern of a refusal, the name of a rule.
_NO_TEXT = {"Finding": {0}, "Refusal": {0, 1}, "Rule": {0, 1, 2, 3}}
_TRANSLATED = {"tr", "bilingual", "plural", "plural_form", "counted"}


def strays(root: Path) -> list[str]:
    """Return ``file:line: text`` of each literal below ``root``/airgap that should go through ``tr``."""
    verbatim = _verbatim()
    found: list[str] = []
    for path in sorted((root / "airgap").rglob("*.py")):
        file = path.relative_to(root).as_posix()
        for line, text in _untranslated(ast.parse(path.read_text())):
            if not any(name.fullmatch(file) and pattern.search(text) for name, pattern in verbatim):
                found.append(f"{file}:{line}: {text[:100]!r}")
    return found


def _verbatim() -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    lines = [line for line in VERBATIM.read_text().splitlines() if line and not line.startswith("#")]
    split = (line.partition(" ") for line in lines)
    return [(re.compile(".*" if file == "*" else file), re.compile(pattern)) for file, _, pattern in split]


def _untranslated(tree: ast.Module) -> Iterator[tuple[int, str]]:
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        text = _text(node)
        parent = parents.get(node)
        if text is None or isinstance(parent, (ast.Expr, ast.JoinedStr)):
            continue  # a docstring, or a part of an f-string
        if isinstance(parent, ast.FormattedValue) and parent.format_spec is node:
            continue
        if _is_message(node, re.sub(r"\{[^{}]*\}", "{}", text), parents):
            yield node.lineno, text  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_message(node: ast.AST, text: str, parents: dict[ast.AST, ast.AST]) -> bool:
    if not _WORD.search(text):
        return False
    child, parent = node, parents.get(node)
    while parent is not None and not isinstance(parent, ast.stmt):
        if isinstance(parent, ast.Compare):
            return False
        if isinstance(parent, ast.Dict) and child in parent.keys:
            return False
        if isinstance(parent, ast.Subscript) and parent.slice is child:
            return False
        if isinstance(parent, ast.Call) and child is not parent.func:
            return _is_shown(parent, child, text)
        child, parent = parent, parents.get(parent)
    return bool(_SENTENCE.search(text))


def _is_shown(call: ast.Call, argument: ast.AST, text: str) -> bool:
    name = ast.unparse(call.func)
    keyword = argument.arg if isinstance(argument, ast.keyword) else None
    if name in _TRANSLATED or _INTERNAL.fullmatch(name) or keyword in _INTERNAL_KEYWORDS:
        return False
    if name == "click.option":
        return keyword == "help"
    if name in _PRINTS:
        return True
    if _SHOWS.fullmatch(name):
        position = call.args.index(argument) if isinstance(argument, ast.expr) and argument in call.args else None
        if position in _NO_TEXT.get(name, ()):
            return False
        return " " in text.strip() and (keyword != "where" or bool(_SENTENCE.search(text)))
    return bool(_SENTENCE.search(text))

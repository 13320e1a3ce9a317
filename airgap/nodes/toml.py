# SPDX-License-Identifier: Apache-2.0
"""Just enough TOML (v1.0): values written, and single keys set in a file that people wrote, every other byte kept.

A file that is not understood, or where a key cannot be set without rewriting more, is refused and never guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from airgap.errors import OutputError
from airgap.records import Record

Value = str | bool | int | Sequence[str]
Path = tuple[str, ...]
#: Tables in the order in which they are to stand, each with its keys; ``()`` is the top.
Settings = Mapping[Path, Mapping[str, Value]]

_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_MULTI = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|\'\'\'(?:[^\']|\'(?!\'\'))*\'{3,5}', re.DOTALL)


class Statement(Record):
    """A table's header (``key`` empty) or one key with its value, and where in the text they stand."""

    table: Path
    key: Path
    start: int
    end: int
    value: str = ""
    array: bool = False

    @property
    def path(self) -> Path:
        return self.table + self.key


def written(value: Value) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # JSON's escapes are among TOML's, but for its halves of characters, and TOML wants DEL escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(written(one) for one in value)}]"


def document(settings: Settings) -> str:
    """A new file; keys of tables are indented by two blanks."""
    parts = []
    for table, keys in settings.items():
        indent = "  " if table else ""
        head = f"[{_dotted(table)}]\n" if table else ""
        parts.append(head + "".join(f"{indent}{key} = {written(value)}\n" for key, value in keys.items()))
    return "".join(parts)


def merged(text: str, settings: Settings) -> str:
    """``text`` with these keys set and nothing else changed. Raises :class:`OutputError` where that cannot be."""
    for table, keys in settings.items():
        for key, value in keys.items():
            text = _set(text, table, key, written(value))
    return text


def without(text: str, unwanted: Callable[[Statement], bool]) -> str:
    """``text`` without the keys that are ``unwanted``, and without the tables whose header is, all that they hold."""
    spans: list[tuple[int, int]] = []
    inside = False
    for one in statements(text):
        start, end = text.rfind("\n", 0, one.start) + 1, _line_end(text, one.end)
        if inside and one.key:
            spans[-1] = spans[-1][0], end  # to the table's last key: a comment behind it belongs to what follows
            continue
        inside = unwanted(one) and not one.key
        if unwanted(one):
            spans.append((start, end))
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    return text


def statements(text: str) -> Iterator[Statement]:
    """What stands in ``text``, in order. Raises :class:`OutputError` for what is no TOML."""
    at, array = 0, False
    table: Path = ()
    while (at := _match(_GAP, text, at)) < len(text):
        start = at
        if text[at] == "[":
            array = text.startswith("[[", at)
            brackets = 1 + array
            table, at = _keys(text, at + brackets)
            if not text.startswith("]" * brackets, at):
                raise _odd(text, at)
            at += brackets
            yield Statement(table, (), start, at, array=array)
        else:
            key, at = _keys(text, at)
            if not text.startswith("=", at):
                raise _odd(text, at)
            begin = _match(_BLANK, text, at + 1)
            at = _value_end(text, begin)
            value = text[begin:at].rstrip()
            yield Statement(table, key, start, begin + len(value), value, array)
        at = _match(_BLANK, text, at)
        if at < len(text) and text[at] not in "#\r\n":
            raise _odd(text, at)


def string(value: str) -> str | None:
    """The text that a value is, or ``None`` where it is no one-line string."""
    if value.startswith("'") and _LITERAL.fullmatch(value):
        return value[1:-1]
    if _BASIC.fullmatch(value):
        try:
            return str(json.loads(value))
        except ValueError:
            return None
    return None


def _set(text: str, table: Path, key: str, value: str) -> str:
    wanted = (*table, key)
    newline = "\r\n" if "\r\n" in text else "\n"
    found = list(statements(text))
    for one in found:
        if one.key and one.path == wanted and not one.array:
            return text[: one.end - len(one.value)] + value + text[one.end :]
    for one in found:
        inline = one.key and len(one.path) < len(wanted) and wanted[: len(one.path)] == one.path
        dotted = one.key and len(one.table) < len(table) and one.path[: len(table)] == table
        if inline or dotted or (one.array and one.table == table[: len(one.table)]):
            raise OutputError(
                f"{_dotted(wanted)} cannot be set without rewriting line {text.count(chr(10), 0, one.start) + 1}",
                hint=f"write {key} = {value} under [{_dotted(table)}] by hand",
            )
    heads = [one for one in found if not one.key and one.table == table]
    if not heads and table:
        gap = "" if not text else newline if text.endswith("\n") else newline * 2
        return f"{text}{gap}[{_dotted(table)}]{newline}  {key} = {value}{newline}"
    if heads:
        last = [one for one in found if one.table == table][-1]
        at = _line_end(text, last.end)
        before = text[text.rfind("\n", 0, last.start) + 1 : last.start]
        indent = before + ("  " if last is heads[0] and not last.key else "")
        lead = "" if text[:at].endswith("\n") else newline
        return f"{text[:at]}{lead}{indent}{key} = {value}{newline}{text[at:]}"
    top = [one for one in found if not one.table]
    at = _line_end(text, top[-1].end) if top else 0
    lead = "" if not at or text[:at].endswith("\n") else newline
    return f"{text[:at]}{lead}{key} = {value}{newline}{text[at:]}"


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _keys(text: str, at: int) -> tuple[Path, int]:
    keys: list[str] = []
    while True:
        at = _match(_BLANK, text, at)
        match = _BARE.match(text, at) or _LITERAL.match(text, at) or _BASIC.match(text, at)
        name = None if match is None else match[0] if match.re is _BARE else string(match[0])
        if match is None or name is None:
            raise _odd(text, at)
        keys.append(name)
        at = _match(_BLANK, text, match.end())
        if not text.startswith(".", at):
            return tuple(keys), at
        at += 1


def _value_end(text: str, at: int) -> int:
    start, depth = at, 0
    while at < len(text):
        one = text[at]
        if one in "\"'":
            match = _MULTI.match(text, at) or (_BASIC if one == '"' else _LITERAL).match(text, at)
            if match is None:
                raise _odd(text, at)
            at = match.end()
            continue
        if depth == 0 and one in "#\n":
            break
        if one == "#":
            at = _line_end(text, at)
            continue
        depth += (one in "[{") - (one in "]}")
        if depth < 0:
            raise _odd(text, at)
        at += 1
    if depth or not text[start:at].strip():
        raise _odd(text, start)
    return at


def _match(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _dotted(path: Path) -> str:
    return ".".join(key if _BARE.fullmatch(key) else written(key) for key in path)


def _odd(text: str, at: int) -> OutputError:
    line = text.count("\n", 0, at) + 1
    return OutputError(f"line {line} is no TOML that airgap understands", hint="mend the file, or move it away")

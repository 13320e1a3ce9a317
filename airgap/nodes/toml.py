# SPDX-License-Identifier: Apache-2.0
"""A small part of TOML v1.0: formats values, and sets single keys in an existing file without changing other bytes.

Raises :class:`OutputError` for a file that it cannot parse, and for a key that cannot be set without rewriting
more of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from airgap.errors import OutputError
from airgap.i18n import tr
from airgap.records import Record

Value = str | bool | int | Sequence[str]
#: The path of a table or key, one element a name. ``()`` is the top level of a file.
Path = tuple[str, ...]
#: The keys of each table, in the order in which they are written.
Settings = Mapping[Path, Mapping[str, Value]]

_SPACE_OR_COMMENT = re.compile(r"[ \t\r\n]+|#[^\n]*")
_BLANKS = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BASIC_STRING = re.compile(r'"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"')
_LITERAL_STRING = re.compile(r"'[^'\n]*'")
_MULTILINE_STRING = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"{3,5}|\'\'\'[^\']*(?:\'(?!\'\')[^\']*)*\'{3,5}',
    re.DOTALL,
)


class Statement(Record):
    """A table header or a ``key = value``, and the range of characters that it occupies.

    For a header, ``key`` is empty and ``array`` tells whether it is one of ``[[…]]``. For a key, ``table`` and
    ``array`` are those of the table that holds it, and ``value`` is its text, not parsed.
    """

    table: Path
    key: Path
    start: int
    end: int
    value: str = ""
    array: bool = False

    @property
    def path(self) -> Path:
        """The path from the top level of the file."""
        return self.table + self.key


def format_value(value: Value) -> str:
    """Return ``value`` as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # JSON strings without surrogate escapes are TOML strings, except that TOML requires DEL to be escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(format_value(item) for item in value)}]"


def format_document(settings: Settings) -> str:
    """Return a new file with ``settings``. Keys inside a table are indented by two spaces."""
    parts = []
    for table, keys in settings.items():
        indent = "  " if table else ""
        header = f"[{_format_path(table)}]\n" if table else ""
        parts.append(header + "".join(f"{indent}{key} = {format_value(value)}\n" for key, value in keys.items()))
    return "".join(parts)


def set_keys(text: str, settings: Settings) -> str:
    """Return ``text`` with the keys of ``settings`` set and nothing else changed.

    Raises :class:`OutputError` if that is not possible.
    """
    for table, keys in settings.items():
        for key, value in keys.items():
            text = _set_key(text, table, key, format_value(value))
    return text


def remove(text: str, is_unwanted: Callable[[Statement], bool]) -> str:
    """Return ``text`` without the unwanted keys, and without the whole tables whose header is unwanted."""
    spans: list[tuple[int, int]] = []
    in_unwanted_table = False
    for statement in statements(text):
        start, end = text.rfind("\n", 0, statement.start) + 1, _line_end(text, statement.end)
        if in_unwanted_table and statement.key:
            # Extend to this key. Comments after the last key are kept: they belong to what follows.
            spans[-1] = spans[-1][0], end
            continue
        unwanted = is_unwanted(statement)
        in_unwanted_table = unwanted and not statement.key
        if unwanted:
            spans.append((start, end))
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    return text


def statements(text: str) -> Iterator[Statement]:
    """Yield the statements of ``text`` in order. Raises :class:`OutputError` where it is not TOML."""
    table: Path = ()
    array = False
    index = 0
    while (index := _skip_comments(text, index)) < len(text):
        start = index
        if text[index] == "[":
            array = text.startswith("[[", index)
            brackets = 2 if array else 1
            table, index = _parse_path(text, index + brackets)
            if not text.startswith("]" * brackets, index):
                raise _syntax_error(text, index)
            index += brackets
            yield Statement(table, (), start, index, array=array)
        else:
            key, index = _parse_path(text, index)
            if not text.startswith("=", index):
                raise _syntax_error(text, index)
            value_start = _skip(_BLANKS, text, index + 1)
            index = _find_value_end(text, value_start)
            value = text[value_start:index].rstrip()
            yield Statement(table, key, start, value_start + len(value), value, array)
        index = _skip(_BLANKS, text, index)
        if index < len(text) and text[index] not in "#\r\n":
            raise _syntax_error(text, index)


def parse_string(value: str) -> str | None:
    """Return the string that the TOML ``value`` is; ``None`` if it is not a string on one line."""
    if value.startswith("'") and _LITERAL_STRING.fullmatch(value):
        return value[1:-1]
    if _BASIC_STRING.fullmatch(value):
        try:
            return str(json.loads(value))
        except ValueError:
            return None
    return None


def _set_key(text: str, table: Path, key: str, value: str) -> str:
    """Replace the value of a key, or add the key at the end of its table, or add the table at the end of the file."""
    path = (*table, key)
    parsed = list(statements(text))
    for statement in parsed:
        if statement.key and statement.path == path and not statement.array:
            return text[: statement.end - len(statement.value)] + value + text[statement.end :]
    for statement in parsed:
        if _conflicts(statement, table, path):
            line = text.count("\n", 0, statement.start) + 1
            raise OutputError(
                tr(
                    "{format_path} cannot be set without rewriting line {line}",
                    format_path=_format_path(path),
                    line=line,
                ),
                hint=tr(
                    "write {key} = {value} under [{format_path}] by hand",
                    key=key,
                    value=value,
                    format_path=_format_path(table),
                ),
            )
    newline = "\r\n" if "\r\n" in text else "\n"
    in_table = [statement for statement in parsed if statement.table == table]
    headers = [statement for statement in in_table if not statement.key]
    if table and not headers:
        gap = "" if not text else newline if text.endswith("\n") else newline * 2
        return f"{text}{gap}[{_format_path(table)}]{newline}  {key} = {value}{newline}"
    indent, index = "", 0
    if in_table:
        last = in_table[-1]
        index = _line_end(text, last.end)
        if table:
            indent = text[text.rfind("\n", 0, last.start) + 1 : last.start]
            if last is headers[0]:  # there is no key yet whose indentation could be repeated
                indent += "  "
    line_break = "" if not index or text[:index].endswith("\n") else newline
    return f"{text[:index]}{line_break}{indent}{key} = {value}{newline}{text[index:]}"


def _conflicts(statement: Statement, table: Path, path: Path) -> bool:
    """Whether ``statement`` prevents ``path`` from being added to ``table`` as a line of its own."""
    is_inline_table = (
        statement.key and len(statement.path) < len(path) and path[: len(statement.path)] == statement.path
    )
    is_dotted_key = statement.key and len(statement.table) < len(table) and statement.path[: len(table)] == table
    is_in_array = statement.array and statement.table == table[: len(statement.table)]
    return bool(is_inline_table or is_dotted_key or is_in_array)


def _line_end(text: str, index: int) -> int:
    """The index after the line break that follows ``index``."""
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _parse_path(text: str, index: int) -> tuple[Path, int]:
    """Parse a dotted key at ``index``; return it and the index after it and its blanks."""
    names: list[str] = []
    while True:
        index = _skip(_BLANKS, text, index)
        match = _BARE_KEY.match(text, index) or _LITERAL_STRING.match(text, index) or _BASIC_STRING.match(text, index)
        if match is None:
            raise _syntax_error(text, index)
        name = match[0] if match.re is _BARE_KEY else parse_string(match[0])
        if name is None:
            raise _syntax_error(text, index)
        names.append(name)
        index = _skip(_BLANKS, text, match.end())
        if not text.startswith(".", index):
            return tuple(names), index
        index += 1


def _find_value_end(text: str, start: int) -> int:
    """The index of the line end or comment after the value at ``start``; arrays may span lines."""
    index, depth = start, 0
    while index < len(text):
        char = text[index]
        if char in "\"'":
            match = _MULTILINE_STRING.match(text, index)
            match = match or (_BASIC_STRING if char == '"' else _LITERAL_STRING).match(text, index)
            if match is None:
                raise _syntax_error(text, index)
            index = match.end()
            continue
        if depth == 0 and char in "#\n":
            break
        if char == "#":
            index = _line_end(text, index)
            continue
        if char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
        if depth < 0:
            raise _syntax_error(text, index)
        index += 1
    if depth or not text[start:index].strip():
        raise _syntax_error(text, start)
    return index


def _skip_comments(text: str, index: int) -> int:
    """The index after white space and comments. A loop, because repetitions of a group in a pattern cost memory."""
    while match := _SPACE_OR_COMMENT.match(text, index):
        index = match.end()
    return index


def _skip(pattern: re.Pattern[str], text: str, index: int) -> int:
    match = pattern.match(text, index)
    return match.end() if match else index


def _format_path(path: Path) -> str:
    return ".".join(name if _BARE_KEY.fullmatch(name) else format_value(name) for name in path)


def _syntax_error(text: str, index: int) -> OutputError:
    line = text.count("\n", 0, index) + 1
    return OutputError(
        tr("line {line} is no TOML that airgap understands", line=line), hint=tr("mend the file, or move it away")
    )

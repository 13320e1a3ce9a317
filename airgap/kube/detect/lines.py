# SPDX-License-Identifier: Apache-2.0
"""References in text that is neither YAML nor JSON.

The text may hold a setting per line (``NAME=value``, TOML, INI, properties, shell), lists of references, and options
in scripts. Comments are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from airgap.kube.detect import arguments, keys, rules
from airgap.kube.detect.rule import Rule
from airgap.kube.detect.shapes import is_complete_reference, says_image

_ITEM = re.compile(r"[^\s,;]+")
#: A value that :func:`items` takes for one item.
SINGLE_ITEM = re.compile(r"[^\s,;=]+")
_COMMENTS = ("#", "//", ";")
#: A line that gives a name a value.
SETTING = re.compile(
    r"[ \t]*(?:-[ \t]+)?(?:(?:export|set|ENV|ARG)[ \t]+)?[\"']?(?P<key>[\w./-]+)[\"']?[ \t]*[=:][ \t]*"
    r"[\"']?(?P<value>[^\s\"',;(][^\s\"',;]*)[\"']?[ \t]*(?:[,;][ \t]*)?(?:(?:#|//).*)?",
    re.DOTALL,
)
#: A literal default in a Go template: ``{{ .image | default "REF" }}``.
_TEMPLATE_DEFAULT = re.compile(r"\bdefault\s+[\"'`](?P<value>[^\s\"'`]+)[\"'`]")
_ALONE = re.compile(r"[ \t]*(?:-[ \t]+)?[\"']?(?P<value>[^\s\"',;]+)[\"']?[ \t]*(?:,[ \t]*)?")
_LONGEST_LINE = 2_000
#: Makes a named tuple of a text's many lines without the call of its constructor.
_tuple = tuple.__new__


class Line(NamedTuple):
    """A line of a text that is neither blank nor a comment, without its end; ``setting`` if it gives a name a value."""

    offset: int
    text: str
    setting: re.Match[str] | None


def items(value: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the items of a list separated by commas, semicolons or white space.

    A name and ``=`` before an item are left out.
    """
    for item in _ITEM.finditer(value):
        begin, end = item.span()
        begin = max(value.rfind("=", begin, end) + 1, begin)
        if begin < end:
            yield begin, end


def setting_references(content: Iterable[Line]) -> Iterator[tuple[int, int, Rule]]:
    """Yield the spans of references in the lines of a text, each with the rule that recognised it."""
    # A text may have thousands of lines, most with the same few keys.
    known: dict[str, bool] = {}
    for line in content:
        offset, text, setting = line
        if "/" not in text and not says_image(text):
            continue
        # The usual line, without another generator: a reference that its key names, or that is complete.
        if setting is not None and "{{" not in text:
            key, value = setting.group("key", "value")
            is_named = known.get(key)
            if is_named is None:
                is_named = known[key] = keys.names_image(key)
            if ("=" not in value) if is_named else is_complete_reference(value):
                start = offset + setting.start("value")
                yield start, start + len(value), rules.SETTING_LINE if is_named else rules.LINE
                continue
        for begin, end, rule in _line_references(line):
            yield offset + begin, offset + end, rule


def template_defaults(value: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the complete references that are literal defaults of templates in ``value``."""
    if "{{" in value:
        for match in _TEMPLATE_DEFAULT.finditer(value):
            if is_complete_reference(match["value"]):
                yield match.span("value")


def content_lines(value: str) -> Iterator[Line]:
    """Yield each line of ``value`` that is neither blank nor a comment."""
    match = SETTING.fullmatch
    offset = 0
    for line in value.splitlines(keepends=True):
        text = line.rstrip()
        if text and len(text) <= _LONGEST_LINE and not text.lstrip(" \t").startswith(_COMMENTS):
            yield _tuple(Line, (offset, text, match(text) if "=" in text or ":" in text else None))
        offset += len(line)


def _line_references(line: Line) -> Iterator[tuple[int, int, Rule]]:
    text = line.text
    if "{{" in text and (defaults := list(template_defaults(text))):
        for begin, end in defaults:
            yield begin, end, rules.TEMPLATE_DEFAULT
        return
    if (setting := line.setting) is not None:
        value, start = setting["value"], setting.start("value")
        if keys.names_image(setting["key"]):
            if begin := value.rfind("=") + 1:  # the value is one item
                value = value[begin:]
            if value:
                yield start + begin, start + begin + len(value), rules.SETTING_LINE
            return
        if is_complete_reference(value):
            yield start, setting.end("value"), rules.LINE
            return
    if alone := _ALONE.fullmatch(text):
        value, start = alone["value"], alone.start("value")
        for begin, end in items(value):
            if is_complete_reference(value[begin:end]):
                yield start + begin, start + end, rules.LINE
        return
    for begin, end, _ in arguments.option_references(text):
        yield begin, end, rules.SCRIPT

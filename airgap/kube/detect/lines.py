# SPDX-License-Identifier: Apache-2.0
"""References in text that is neither YAML nor JSON.

The text may hold a setting per line (``NAME=value``, TOML, INI, properties, shell), lists of references, and options
in scripts. Comments are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap.kube.detect import arguments, keys, rules
from airgap.kube.detect.rule import Rule
from airgap.kube.detect.shapes import is_complete_reference

_ITEM = re.compile(r"[^\s,;]+")
_COMMENT = re.compile(r"[ \t]*(?:#|//|;)")
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


def items(value: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the items of a list separated by commas, semicolons or white space.

    A name and ``=`` before an item are left out.
    """
    for item in _ITEM.finditer(value):
        name_length = item[0].rfind("=") + 1
        if name_length < len(item[0]):
            yield item.start() + name_length, item.end()


def setting_references(value: str) -> Iterator[tuple[int, int, Rule]]:
    """Yield the spans of references in ``value``, each with the rule that recognised it."""
    for offset, line in content_lines(value):
        for begin, end, rule in _line_references(line):
            yield offset + begin, offset + end, rule


def template_defaults(value: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the complete references that are literal defaults of templates in ``value``."""
    if "{{" in value:
        for match in _TEMPLATE_DEFAULT.finditer(value):
            if is_complete_reference(match["value"]):
                yield match.span("value")


def content_lines(value: str) -> Iterator[tuple[int, str]]:
    """Yield each line that is neither blank nor a comment, without its end, after its offset."""
    offset = 0
    for line in value.splitlines(keepends=True):
        content = line.rstrip()
        if content and len(content) <= _LONGEST_LINE and not _COMMENT.match(content):
            yield offset, content
        offset += len(line)


def _line_references(line: str) -> Iterator[tuple[int, int, Rule]]:
    if "{{" in line and (defaults := list(template_defaults(line))):
        for begin, end in defaults:
            yield begin, end, rules.TEMPLATE_DEFAULT
        return
    if setting := SETTING.fullmatch(line):
        value, start = setting["value"], setting.start("value")
        if keys.names_image(setting["key"]):
            for begin, end in items(value):
                yield start + begin, start + end, rules.SETTING_LINE
            return
        if is_complete_reference(value):
            yield start, setting.end("value"), rules.LINE
            return
    if alone := _ALONE.fullmatch(line):
        value, start = alone["value"], alone.start("value")
        for begin, end in items(value):
            if is_complete_reference(value[begin:end]):
                yield start + begin, start + end, rules.LINE
        return
    for begin, end, _ in arguments.option_references(line):
        yield begin, end, rules.SCRIPT

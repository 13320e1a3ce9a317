# SPDX-License-Identifier: Apache-2.0
"""Command lines: options with their values, in one item or two, one string with several, shell scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from airgap.kube.detect import rule as patterns
from airgap.kube.detect import rules
from airgap.kube.detect.rule import Rule
from airgap.kube.detect.walker import ScalarToken, is_complete_reference

#: An option with its value, alone or one of several in a string; quotes as a shell takes them.
_FLAG = re.compile(
    r"(?:^|(?<=\s))(?P<name>--?[A-Za-z][A-Za-z0-9._-]*)(?:=|\s+(?!-))(?P<value>\"[^\"\s]*\"|'[^'\s]*'|[^\s\"']+)"
)
_COMMENTS = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_BARE_FLAG = re.compile(r"--?[A-Za-z][A-Za-z0-9._-]*")


def read(items: Sequence[ScalarToken | None]) -> Iterator[tuple[int, ScalarToken, int, int, Rule]]:
    """Each place in a list of arguments with its rule; whatever is left may be a complete reference."""
    before: str | None = None
    for index, token in enumerate(items):
        option, before = before, None
        if token is None or token.is_null:
            continue
        if _BARE_FLAG.fullmatch(token.value):
            before = token.value
            continue
        found = [
            (match["name"], *_unquoted(match))
            for match in _FLAG.finditer(_without_comments(token.value))
            if _holds_value(match)
        ]
        if option is not None and not token.value.startswith("-"):
            found.insert(0, (option, 0, len(token.value)))
        for name, begin, end in found or [("", 0, len(token.value))]:
            for first, last, rule in _argument(name, token.value, begin, end):
                yield index, token, first, last, rule


def options(line: str) -> Iterator[tuple[int, int, Rule]]:
    """The options of one line of a script whose names say image."""
    for match in _FLAG.finditer(line):
        if _holds_value(match):
            for first, last, rule in _argument(match["name"], line, *_unquoted(match)):
                if rule.shape != patterns.COMPLETE:
                    yield first, last, rule


def _argument(name: str, value: str, begin: int, end: int) -> Iterator[tuple[int, int, Rule]]:
    for rule in rules.ARGUMENTS:
        if not rule.matches_name(name):
            continue
        if rule.shape == patterns.TAGGED:  # a list of references, each perhaps with a name of its own before it
            for item in re.finditer(r"[^,]+", value[begin:end]):
                own = item[0].rfind("=") + 1
                if own < len(item[0]):
                    yield begin + item.start() + own, begin + item.end(), rule
            return
        if rule.shape == patterns.COMPLETE and not is_complete_reference(value[begin:end]):
            own = value.rfind("=", begin, end) + 1 or begin
            if begin < own < end and is_complete_reference(value[own:end]):
                yield own, end, rule
            return
        if begin < end:
            yield begin, end, rule
            return


def _without_comments(value: str) -> str:
    """A script with blanks for the lines that are comments, of the same length."""
    return _COMMENTS.sub(lambda found: " " * len(found[0]), value) if "\n" in value and "#" in value else value


def _holds_value(found: re.Match[str]) -> bool:
    """``--image=x`` always; ``--image x`` inside a longer text may be prose, unless x is more than a word."""
    return found.string[found.end("name")] == "=" or re.search("[:@/]", found["value"]) is not None


def _unquoted(found: re.Match[str]) -> tuple[int, int]:
    begin, end = found.span("value")
    return (begin + 1, end - 1) if found["value"][0] in "\"'" and end - begin > 1 else (begin, end)

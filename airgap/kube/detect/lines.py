# SPDX-License-Identifier: Apache-2.0
"""Text that is neither YAML nor JSON: settings a line (``NAME=value``, TOML, INI, properties, shell), lists of
references, options in scripts. Comments name nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap.kube.detect import arguments, keys, rules
from airgap.kube.detect.rule import Rule
from airgap.kube.detect.walker import complete

_ITEM = re.compile(r"[^\s,;]+")
_COMMENT = re.compile(r"[ \t]*(?:#|//|;)")
#: A line that gives a name a value.
SETTING = re.compile(
    r"[ \t]*(?:-[ \t]+)?(?:(?:export|set|ENV|ARG)[ \t]+)?[\"']?(?P<key>[\w./-]+)[\"']?[ \t]*[=:][ \t]*"
    r"[\"']?(?P<value>[^\s\"',;]+)[\"']?[ \t]*(?:[,;][ \t]*)?(?:(?:#|//).*)?",
    re.DOTALL,
)
_ALONE = re.compile(r"[ \t]*(?:-[ \t]+)?[\"']?(?P<value>[^\s\"',;]+)[\"']?[ \t]*(?:,[ \t]*)?")
_LONGEST_LINE = 2_000


def items(value: str) -> Iterator[tuple[int, int]]:
    """The references of a list by commas, semicolons or white space, each perhaps with a name and ``=`` before it."""
    for found in _ITEM.finditer(value):
        own = found[0].rfind("=") + 1
        if own < len(found[0]):
            yield found.start() + own, found.end()


def settings(value: str) -> Iterator[tuple[int, int, Rule]]:
    """Places in ``value`` that a line's name, an option, or the shape says are references."""
    for at, body in bodies(value):
        for begin, end, rule in _line(body):
            yield at + begin, at + end, rule


def bodies(value: str) -> Iterator[tuple[int, str]]:
    """Each line that holds something and is no comment, without its end, and where it begins."""
    at = 0
    for line in value.splitlines(keepends=True):
        body = line.rstrip()
        if body and len(body) <= _LONGEST_LINE and not _COMMENT.match(body):
            yield at, body
        at += len(line)


def _line(line: str) -> Iterator[tuple[int, int, Rule]]:
    if found := SETTING.fullmatch(line):
        said = keys.says_image(found["key"])
        if said:
            for begin, end in items(found["value"]):
                yield found.start("value") + begin, found.start("value") + end, rules.SETTING
            return
        if complete(found["value"]):
            yield *found.span("value"), rules.LINE
            return
    if found := _ALONE.fullmatch(line):
        for begin, end in items(found["value"]):
            if complete(found["value"][begin:end]):
                yield found.start("value") + begin, found.start("value") + end, rules.LINE
        return
    for begin, end, _ in arguments.options(line):
        yield begin, end, rules.SCRIPT

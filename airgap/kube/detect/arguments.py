# SPDX-License-Identifier: Apache-2.0
"""References in command lines: options with their values in one item or two, strings with several, shell scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from airgap.kube.detect import keys, rules
from airgap.kube.detect.nodes import ScalarToken
from airgap.kube.detect.not_pulled import is_written_to
from airgap.kube.detect.rule import COMPLETE, QUALIFIED, Rule
from airgap.kube.detect.shapes import is_complete_reference, is_tagged_path

#: An option with its value, alone or among others in a string, with or without shell quotes.
_FLAG = re.compile(
    r"(?:^|(?<=\s))(?P<name>--?[A-Za-z][A-Za-z0-9._-]*)(?:=|\s+(?!-))(?P<value>\"[^\"\s]*\"|'[^'\s]*'|[^\s\"']+)"
)
_COMMENTS = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_BARE_FLAG = re.compile(r"--?[A-Za-z][A-Za-z0-9._-]*")


def argument_references(
    items: Sequence[ScalarToken | None],
) -> Iterator[tuple[int, ScalarToken, int, int, Rule | None]]:
    """Yield index, token, span and rule of each reference in a list of arguments.

    An item without options may be a complete reference. The rule is ``None`` for an image that is written, not pulled.
    """
    next_option: str | None = None
    for index, token in enumerate(items):
        option, next_option = next_option, None
        if token is None or token.is_null:
            continue
        if _BARE_FLAG.fullmatch(token.value):
            next_option = token.value
            continue
        valued_options = _valued_options(token.value)
        if option is not None and not token.value.startswith("-"):
            first_option = option, 0, len(token.value)
        else:
            first_option = next(valued_options, ("", 0, len(token.value)))
        for name, begin, end in chain([first_option], valued_options):
            for first, last, rule in _argument_references(name, token.value, begin, end):
                yield index, token, first, last, rule


def _valued_options(value: str) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each option in ``value`` that has a value, and the span of that."""
    for match in _FLAG.finditer(_without_comments(value)):
        if _holds_value(match):
            yield match["name"], *_unquoted(match)


def option_references(line: str) -> Iterator[tuple[int, int, Rule]]:
    """Yield the spans of values in one line of a script whose option's name says image."""
    for match in _FLAG.finditer(line):
        if _holds_value(match):
            for first, last, rule in _argument_references(match["name"], line, *_unquoted(match)):
                if rule is not None and rule.shape != COMPLETE and rule is not rules.ARGUMENT_PAIR:
                    yield first, last, rule


def _argument_references(name: str, value: str, begin: int, end: int) -> Iterator[tuple[int, int, Rule | None]]:
    if is_written_to(name):
        if is_complete_reference(value[begin:end]):
            yield begin, end, None
        return
    for rule in rules.ARGUMENTS:
        if not rule.matches_name(name):
            continue
        if rule.shape == QUALIFIED:  # a list of references; an item may have a name and = before it
            for item in re.finditer(r"[^,]+", value[begin:end]):
                name_length = item[0].rfind("=") + 1
                if name_length < len(item[0]):
                    yield begin + item.start() + name_length, begin + item.end(), rule
            return
        if rule.shape == COMPLETE and not is_complete_reference(value[begin:end]):
            if keys.mentions_image(name) and is_tagged_path(value[begin:end]):
                yield begin, end, rule
                return
            after_sign = value.rfind("=", begin, end) + 1
            if begin < after_sign < end and is_complete_reference(value[after_sign:end]):
                says_image = keys.mentions_image(value[begin : after_sign - 1])
                yield after_sign, end, rule if says_image else rules.ARGUMENT_PAIR
            return
        if begin < end:
            yield begin, end, rule
            return


def _without_comments(value: str) -> str:
    """Return the text with comment lines replaced by blanks, so that offsets stay the same."""
    return _COMMENTS.sub(lambda comment: " " * len(comment[0]), value) if "\n" in value and "#" in value else value


def _holds_value(option: re.Match[str]) -> bool:
    """Return whether the option has a value: ``--image x`` may be prose unless ``x`` is more than a word."""
    return option.string[option.end("name")] == "=" or re.search("[:@/]", option["value"]) is not None


def _unquoted(option: re.Match[str]) -> tuple[int, int]:
    """Return the span of the option's value without quotes."""
    begin, end = option.span("value")
    return (begin + 1, end - 1) if option["value"][0] in "\"'" and end - begin > 1 else (begin, end)

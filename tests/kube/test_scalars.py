# SPDX-License-Identifier: Apache-2.0
"""Decoding a scalar: its value is the one that YAML gives it, and every character of it has its place in the text."""

from __future__ import annotations

import pytest

from airgap.kube.parse.scalars import decode

#: YAML 1.1, section 5.7 "Escape Sequences".
ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "\t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "/": "/",
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
    "x41": "A",
    "u0041": "A",
    "U00000041": "A",
}


@pytest.mark.parametrize(("code", "sign"), ESCAPES.items(), ids=[ascii(code) for code in ESCAPES])
def test_each_escape_of_a_double_quoted_scalar(code: str, sign: str) -> None:
    text = f'"one\\{code}two"'
    decoded = decode(text, '"', f"one{sign}two")
    assert decoded is not None
    assert decoded.value == f"one{sign}two"
    assert [text[slice(*decoded.span(*span))] for span in ((0, 3), (3, 4), (4, 7))] == ["one", f"\\{code}", "two"]


@pytest.mark.parametrize(
    ("text", "style", "value", "part"),
    [
        ("one\n  two", "", "one two", "\n  "),
        ("'one''two'", "'", "one'two", "''"),
        ("'one \n\n two'", "'", "one\ntwo", " \n\n "),
        ('"one\n two"', '"', "one two", "\n "),
        ('"one\\u0041two"', "json", "oneAtwo", "\\u0041"),
        ('"one\\ntwo"', "json", "one\ntwo", "\\n"),
    ],
)
def test_each_character_has_its_place(text: str, style: str, value: str, part: str) -> None:
    decoded = decode(text, style, value)
    assert decoded is not None
    assert decoded.value == value
    assert [text[slice(*decoded.span(*span))] for span in ((0, 3), (3, 4), (4, 7))] == ["one", part, "two"]


def test_a_value_that_the_parser_reads_otherwise_has_no_map() -> None:
    assert decode('"one\\x41"', '"', "oneB") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("|\n  one\n  two\n", "one\ntwo\n"),
        ("|+\n  one\n\n\n", "one\n\n\n"),
        ("|+\n  one\n# a comment ends the value\n\n\n", "one\n"),
        (">-\n  one\n  two\n# a comment\n", "one two"),
    ],
)
def test_a_block_ends_at_a_line_that_is_indented_less(text: str, value: str) -> None:
    decoded = decode(text, text[0], value)
    assert decoded is not None
    assert decoded.value == value

# SPDX-License-Identifier: Apache-2.0
"""What a page that is no registry says: its title and its text, in time that grows with its length."""

from __future__ import annotations

from typing import Any, cast

import pytest

from airgap.targets.doctor.web_page import title_of, without_tags
from tests.parts.steps import steps


class Page:
    def __init__(self, body: bytes) -> None:
        self.body = body


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"<html><head><TITLE lang='en'>Sign in &amp;\n go on</TITLE></head></html>", "Sign in & go on"),
        (b"<title></title>", ""),
        (b"<title>half", ""),
        (b"<title", ""),
        (b"no page", ""),
        (b"<title>" + b"x" * 500 + b"</title>", "x" * 100),
        ("<title>로그인</title>".encode(), "로그인"),
    ],
)
def test_the_title(body: bytes, title: str) -> None:
    assert title_of(cast(Any, Page(body))) == title


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<p>one</p><p>two</p>", "one two"),
        ("<head><title>t</title></head><body>b<script>if (a < b) c()</script>d</body>", "b d"),
        ("a<STYLE>p > q {}</STYLE>b", "a b"),
        ("a<script>never closed", "a"),
        ("a < b", "a"),
        ("plain", "plain"),
    ],
)
def test_the_text(text: str, shown: str) -> None:
    assert without_tags(text) == shown


@pytest.mark.parametrize("piece", ["<title<>", "<script", "<p>", "<", "</script>", "<head>x"])
def test_a_page_that_is_made_to_take_long(piece: str) -> None:
    def read(count: int) -> int:
        page, text = cast(Any, Page(piece.encode() * count)), piece * count
        return steps(lambda: (title_of(page), without_tags(text)))

    assert read(5000) < 15 * read(500) + 1000

# SPDX-License-Identifier: Apache-2.0
"""Long lines on a terminal end between words, and commands can still be pasted."""

from __future__ import annotations

import io
import sys

import click
import pytest

from airgap.cli.folding import display_width, folded, terminal_columns
from tests.cli.command import Airgap, pod
from tests.parts.terminal import Screen, on_terminal

SENTENCE = "오류: nexus.invalid:8082: 여기에서 알 수 없는 이름입니다 (Name or service not known)"


@pytest.mark.parametrize(
    ("line", "columns", "lines"),
    [
        ("short", 5, ["short"]),
        ("short", 0, ["short"]),
        ("one two three", 9, ["one two", "    three"]),
        ("폐쇄망 레지스트리", 14, ["폐쇄망", "    레지스트리"]),
        ("  a hint of words", 12, ["  a hint of", "      words"]),
        ("          deep words here", 32, ["          deep words here"]),
        ("          deep words here and there", 31, ["          deep words here and", "          there"]),
        ("정상  이름  한 줄보다 긴 설명이 있습니다", 39, ["정상  이름  한 줄보다 긴 설명이", "            있습니다"]),
        ("a-word-that-is-wider-than-a-line", 10, ["a-word-that-is-wider-than-a-line"]),
        ("x a-word-that-is-wider-than-a-line y", 10, ["x a-word-that-is-wider-than-a-line y"]),
    ],
)
def test_a_line_is_folded_between_words(line: str, columns: int, lines: list[str]) -> None:
    assert folded(line, columns).split("\n") == lines


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("sign in first: airgap login http://h:1 -u me", ["sign in first:", "    airgap login http://h:1 -u me"]),
        ("먼저 로그인하세요: airgap login http://h:1", ["먼저 로그인하세요:", "    airgap login http://h:1"]),
        ("airgap import b.tar --to http://10.100.0.102:32415/p", None),
        ("$ airgap import b.tar --to http://10.100.0.102:32415/p", None),
        ("  kubectl get service -A | grep -i nexus", None),
        ("\x1b[1mairgap import b.tar --to http://10.100.0.102:32415/p\x1b[0m", None),
        (
            "여기: curl -i http://10.100.0.102:32415/v2/ | head -20",
            ["여기:", "    curl -i http://10.100.0.102:32415/v2/ | head -20"],
        ),
    ],
)
def test_a_command_is_not_broken(line: str, lines: list[str] | None) -> None:
    assert folded(line, 34).split("\n") == (lines or [line])


def test_colours_have_no_width() -> None:
    assert folded("\x1b[1m\x1b[31merror:\x1b[0m one two", 14) == "\x1b[1m\x1b[31merror:\x1b[0m one two"
    assert folded("\x1b[31merror:\x1b[0m one two", 11) == "\x1b[31merror:\x1b[0m one\n    two"


def test_what_is_no_terminal_has_no_width() -> None:
    assert terminal_columns(io.StringIO()) == 0


@pytest.mark.parametrize("columns", [40, 80])
def test_an_error_on_a_terminal(airgap: Airgap, columns: int) -> None:
    airgap.write("app.yaml", pod("quay.io/a/x:1"))
    environment = airgap.whole_environment({"AIRGAP_LANG": "ko", "TERM": "dumb"})
    code, said = on_terminal(
        airgap.command("export", "-o", "x.zip", "app.yaml"), columns, 24,
        environment=environment, folder=airgap.folder,
    )  # fmt: skip
    said = click.unstyle(said)
    lines = said.replace("\r\n", "\n").splitlines()
    assert code == 2
    assert max(display_width(line) for line in lines) <= columns
    assert len(lines) > 2
    airgap.fresh = True  # the language is chosen when an interpreter begins
    piped = airgap.run("export", "-o", "x.zip", "app.yaml", code=2, environment={"AIRGAP_LANG": "ko"}).stderr
    assert " ".join(said.split()) == " ".join(piped.split())


#: Shows a bar, and prints a line before the next copy begins.
TWO_COPIES = """
from airgap.cli.printing import say
from airgap.cli.progress.display import BarDisplay
from airgap.events import Planned
with BarDisplay() as display:
    for number in (1, 2):
        display.clear()
        say(f"copy {number}")
        display(Planned(2, 2, 2, 2000))
        display.tick()
        display.clear()
"""


def test_a_line_between_two_copies_does_not_stand_in_the_bar(airgap: Airgap) -> None:
    environment = airgap.whole_environment({"TERM": "xterm"})
    code, said = on_terminal([sys.executable, "-c", TWO_COPIES], 40, 24, environment=environment, folder=airgap.folder)
    screen = Screen(40, 24)
    screen.feed(said)
    assert (code, screen.lines()) == (0, ["copy 1", "copy 2"])
    assert sum("━" in line or "─" in line for line in screen.written) >= 2

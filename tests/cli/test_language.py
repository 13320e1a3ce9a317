# SPDX-License-Identifier: Apache-2.0
"""What chooses the language of a command, and that click speaks it too."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from airgap.cli import click_words
from airgap.cli.app import COMMANDS
from airgap.cli.formatting.columns import display_width
from airgap.cli.formatting.help import wrapped, wrapped_command
from tests.cli.command import Airgap
from tools.messages.collect import messages

ROOT = Path(__file__).resolve().parents[2]
#: A word that English sentences have.
ENGLISH = re.compile(r"(?<![-\w])(?:the|of|with|and|is|are|this|not)\b")
#: Texts of click that airgap never prints: mistakes of a developer, and prompts, types and options that it has not.
NEVER = {
    "Aborted!",
    "deprecated",
    "DeprecationWarning: The command {name!r} is deprecated.{extra_message}",
    "DeprecationWarning: The {param_type} {name!r} is deprecated.{extra_message}",
    "Value must be an iterable.",
    "Could not determine name for option with declarations {decls!r}",
    "No options defined but a name was passed ({name}). Did you mean to declare an argument instead? Did you mean to "
    "pass '--{name}'?",
    "env var: {var}",
    "Arguments take exactly one parameter declaration, got {length}: {decls}.",
    "(dynamic)",
    "Name '{name}' defined twice",
    "Boolean option {decl!r} cannot use the same flag for true/false.",
    "Positional arguments",
    "Do you want to continue?",
    "Confirm the action without prompting.",
    "%(prog)s, version %(version)s",
    "Show the version and exit.",
    "unknown error",
    "Try '{command} {option}' for help.",
    "Missing parameter: {param_name}",
    "No such command {name!r}.",
    "Missing {param_type}",
    "Invalid start character for option ({option})",
    "Press any key to continue...",
    "Unknown color {colour!r}",
    "Choice({choices})",
    "{value!r} does not match the format {format}.",
    "{len_type} values are required, but {len_value} was given.",
    "{value!r} is not a valid UUID.",
}


@pytest.fixture
def airgap(airgap: Airgap) -> Airgap:
    """Each run begins with an interpreter: the language is chosen before modules are imported."""
    airgap.fresh = True
    return airgap


def texts_of_click() -> set[str]:
    """The texts in the installed click that its modules look up in a catalogue."""
    found = set()
    folder = Path(click.__file__).parent
    for name in ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types"):
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "ngettext"):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found


def test_every_text_of_click_is_listed() -> None:
    listed = {message.text for message in messages(ROOT) if message.file == "airgap/cli/click_words.py"}
    assert texts_of_click() - listed - NEVER == set()
    assert len(click_words.listed()) == len(set(click_words.listed()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["사용법: airgap [OPTIONS] COMMAND", "명령:", "옵션:", "이 도움말을 출력합니다."]),
        (["hosts"], ["오류: 인자가 없습니다: 'TARGET'."]),
        (["hosts", "http://x:1", "--for", "npmm"], ["'--for'의 값이 잘못되었습니다: 'npmm': 다음 중 하나여야 합니다"]),
        (["export", "--plat", "x"], ["'--plat': 없는 옵션입니다.", "'--platform'"]),
        (["export", "--output"], ["옵션 '--output'에는 값이 1개 필요합니다."]),
    ],
)
def test_click_speaks_korean(airgap: Airgap, arguments: list[str], words: list[str]) -> None:
    airgap.environment["AIRGAP_LANG"] = "ko"
    done = airgap.run(*arguments, code=0 if "--help" in arguments else 2)
    said = " ".join((done.text + done.stderr).split())
    for word in words:
        assert word in said, said


#: Prints ``--help`` of every command, in 80 columns and in 40.
ALL_HELP = r"""
import os, click
from airgap.cli import click_words
from airgap.cli.app import COMMANDS
from airgap.cli.app import COMMANDS, cli
click_words.use_language()
for os.environ["COLUMNS"] in ("80", "40"):
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        page = command.get_help(click.Context(command, info_name=f"airgap {name}"))
        print(os.environ["COLUMNS"], page, sep="\0", end="\0")
"""


@pytest.mark.parametrize("language", ["en", "ko"])
def test_help_fits_a_terminal_and_is_in_one_language(airgap: Airgap, language: str) -> None:
    """Only an address in an example may be wider than a narrow terminal."""
    done = subprocess.run(
        [sys.executable, "-c", ALL_HELP],
        env=airgap.whole_environment({"AIRGAP_LANG": language, "PYTHONUTF8": "1"}),
        capture_output=True,
        text=True,
        check=True,
    )
    pages = done.stdout.split("\0")
    shown = [(int(columns), page) for columns, page in zip(pages[0::2], pages[1::2], strict=False)]
    assert len(shown) == 2 * len(COMMANDS)
    for columns, page in shown:
        wide = [line for line in page.splitlines() if display_width(line) > columns]
        assert [line for line in wide if columns == 80 or len(shlex.split(line.removesuffix("\\"))) > 2] == []
        filled = max(display_width(line) for line in page.splitlines() if line not in wide)
        assert columns - 20 < filled <= columns
        if language == "ko":
            assert ENGLISH.findall(page) == []


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (78, ["airgap hosts x:1 --for podman --root / --diff"]),
        (30, ["airgap hosts x:1 \\", "  --for podman --root / --diff"]),
        (24, ["airgap hosts x:1 \\", "  --for podman \\", "  --root / --diff"]),
        (4, ["airgap \\", "  hosts \\", "  x:1 \\", "  --for podman \\", "  --root / \\", "  --diff"]),
    ],
)
def test_a_long_command_is_continued_as_a_shell_reads_it(width: int, lines: list[str]) -> None:
    assert list(wrapped_command("airgap hosts x:1 --for podman --root / --diff", width)) == lines


def test_quoted_text_of_a_command_is_not_broken() -> None:
    assert list(wrapped_command('airgap doctor --explain "a b c" | tee x', 20)) == [
        "airgap doctor \\",
        '  --explain "a b c" \\',
        "  | tee x",
    ]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("레지스트리에서 이미지를 가져옵니다", 14, ["레지스트리에서", "이미지를", "가져옵니다"]),
        ("use --from-node here", 12, ["use", "--from-node", "here"]),
        ("x 레지스트리", 5, ["x", "레지", "스트", "리"]),
    ],
)
def test_text_is_wrapped_between_words_by_columns(text: str, width: int, lines: list[str]) -> None:
    assert list(wrapped(text, width)) == lines


@pytest.mark.parametrize(
    ("project", "environment", "korean"),
    [
        ("language: ko\n", {"LANG": "en_US.UTF-8"}, True),
        ("name: x\nlanguage:  'ko'   # for the operators\n", {}, True),
        ("language: en\n", {"LANG": "ko_KR.UTF-8"}, False),
        ("language: ko\n", {"AIRGAP_LANG": "en"}, False),
        ("notes: |\n  language: ko\n", {}, False),
    ],
)
def test_the_project_chooses_the_language(
    airgap: Airgap, project: str, environment: dict[str, str], korean: bool
) -> None:
    airgap.write("airgap.yaml", project)
    airgap.environment |= environment
    said = airgap.run("images", "missing.yaml", code=2).stderr
    assert said.startswith("오류: " if korean else "error: "), said


def test_another_project_file_chooses_it_too(airgap: Airgap) -> None:
    airgap.write("ko.yaml", "language: ko\n")
    assert airgap.run("images", "missing.yaml", "--config", "ko.yaml", code=2).stderr.startswith("오류: ")


def test_a_language_without_messages_is_an_error(airgap: Airgap) -> None:
    airgap.write("airgap.yaml", "name: x\nlanguage: fr\n")
    said = airgap.run("images", code=2).stderr
    assert "airgap.yaml:2" in said
    assert "known are en, ko" in said


def test_a_project_file_that_is_a_pipe_is_not_waited_for(airgap: Airgap) -> None:
    import os

    os.mkfifo(airgap.folder / "airgap.yaml")
    assert airgap.run("--help").text.startswith("Usage:")

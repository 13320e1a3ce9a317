# SPDX-License-Identifier: Apache-2.0
"""What chooses the language of a command, and that click speaks it too."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest

from airgap.cli import click_words
from airgap.cli.formatting.columns import display_width
from tests.cli.command import Airgap
from tools.messages.collect import messages

ROOT = Path(__file__).resolve().parents[2]
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


def test_no_line_of_help_is_wider_than_a_terminal(airgap: Airgap) -> None:
    airgap.environment |= {"AIRGAP_LANG": "ko", "COLUMNS": "80"}
    lines = airgap.run("doctor", "--help").text.splitlines()
    wide = [line for line in lines if display_width(line) > 80]
    assert all(line.lstrip().startswith(("airgap ", "kubectl ")) for line in wide), wide
    assert max(display_width(line) for line in lines if line.startswith("  ") and "airgap" not in line) > 70


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

# SPDX-License-Identifier: Apache-2.0
"""``make man``: a page for each command, that says what ``--help`` says and that readers of manual pages accept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from airgap import errors
from airgap.cli.app import COMMANDS, cli
from tests.parts.need import need

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["airgap", *(f"airgap-{name}" for name in COMMANDS)]


def made(folder: Path) -> Path:
    command = [sys.executable, str(ROOT / "tools/man.py"), "--output", str(folder)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, capture_output=True, cwd=folder.parent, env=environment)
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("dist") / "man")


def shown(page: Path) -> str:
    """What a reader sees on a terminal 200 characters wide, in whole words, without bold and underlined letters."""
    command = [need("groff"), "-man", "-Tascii", "-P-c", "-rLL=200n", "-rHY=0", "-ww", str(page)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return re.sub(r".\x08", "", run.stdout)


def plain(text: str) -> str:
    """Words with one blank between them, in the characters that roff writes in ASCII."""
    return " ".join(text.replace("`", "").replace("…", "...").split())


def test_there_is_a_page_for_each_command_and_two_runs_give_the_same(pages: Path, tmp_path: Path) -> None:
    again = made(tmp_path / "man")
    assert {path.name for path in pages.iterdir()} == {f"{name}.1" for name in NAMES}
    assert {path.name: path.read_bytes() for path in pages.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_says_what_help_says(pages: Path, name: str) -> None:
    root = click.Context(cli, info_name="airgap")
    command = cli.get_command(root, name)
    assert command is not None
    context = click.Context(command, root, name)
    words = plain(shown(pages / f"airgap-{name}.1"))
    parameters = command.get_params(context)
    records = [option.get_help_record(context) for option in parameters if isinstance(option, click.Option)]
    options = [record for record in records if record is not None]
    assert len(options) >= 1
    for record in options:
        assert f" {plain(record[0])} {plain(record[1])} " in words, record
    prose, _, examples = (command.help or "").partition("\b")
    for paragraph in prose.split("\n\n"):
        assert plain(paragraph) in words
    for line in examples.split("\n\n")[0].splitlines():
        assert plain(line) in words, line


def test_the_programs_page_has_every_command_and_exit_code(pages: Path) -> None:
    text = shown(pages / "airgap.1")
    assert [name for name in NAMES[1:] if f"{name}(1)" not in text] == []
    codes = {value.exit_code for value in vars(errors).values() if hasattr(value, "exit_code")}
    assert {int(code) for code in re.findall(r"^ {7}(\d+) ", text.partition("EXIT STATUS")[2], re.MULTILINE)} >= codes


@pytest.mark.parametrize("name", NAMES)
def test_mandoc_finds_nothing_wrong(pages: Path, name: str) -> None:
    command = [need("mandoc"), "-T", "lint", "-W", "warning", str(pages / f"{name}.1")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_man_shows_it(pages: Path) -> None:
    command = [need("man", package="man-db"), "-l", str(pages / "airgap-import.1")]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "MANPAGER": "cat", "MANWIDTH": "100"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "airgap import bundle.tar --to http://10.100.0.102:32415/my-docker-image" in run.stdout

# SPDX-License-Identifier: Apache-2.0
"""``airgap completion``, by real shells on a terminal: what is typed, a tab, and the command that runs."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.command import Airgap
from tests.parts.need import need

#: What is typed before the tab, and what the line must be after it.
COMPLETED = {
    "a command": ("airgap insp", "airgap inspect "),
    "an option": ("airgap export --volume-s", "airgap export --volume-size "),
    "a value": ("airgap import --mapping base", "airgap import --mapping basename "),
    "a shell": ("airgap completion ba", "airgap completion bash "),
    "a file": ("airgap import carried-b", "airgap import carried-bundle.tar "),
    "the file of an option": ("airgap export --lock carried-b", "airgap export --lock carried-bundle.tar "),
}
#: How each shell starts without the user's own files, and how it reads the script of a file.
STARTS = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}
READS = {"bash": "source {0}", "zsh": "autoload -U compinit && compinit -u && source {0}"}


@pytest.fixture
def installed(airgap: Airgap) -> Airgap:
    """``airgap`` as a command of its own on the PATH, as pip makes it, beside a file to complete."""
    folder = airgap.folder.parent / "bin"
    folder.mkdir()
    program = folder / "airgap"
    program.write_text(f"#!{sys.executable}\nfrom airgap.cli import main\nmain()\n")
    program.chmod(0o755)
    airgap.environment["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    airgap.environment["PS1"] = airgap.environment["PROMPT"] = "ready> "
    airgap.environment["TERM"] = "dumb"
    airgap.write("carried-bundle.tar", b"")
    return airgap


class _Shell:
    """An interactive shell on a terminal, whose output is kept."""

    def __init__(self, command: list[str], airgap: Airgap) -> None:
        self._terminal, end = pty.openpty()
        environment = airgap.whole_environment()
        self._process = subprocess.Popen(
            command, stdin=end, stdout=end, stderr=end, cwd=airgap.folder, env=environment, start_new_session=True
        )
        os.close(end)
        self.said = ""

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Read until ``text`` was written, and forget what was written up to there."""
        deadline = time.monotonic() + seconds
        while text not in self.said:
            ready, _, _ = select.select([self._terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come: {self.said!r}"
            self.said += os.read(self._terminal, 4096).decode(errors="replace")
        self.said = self.said.partition(text)[2]

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


def script(airgap: Airgap, shell: str) -> Path:
    return airgap.write(f"script.{shell}", airgap.run("completion", shell).stdout)


@pytest.mark.parametrize("what", COMPLETED)
@pytest.mark.parametrize("shell", STARTS)
def test_a_shell_completes(installed: Airgap, shell: str, what: str) -> None:
    typed, completed = COMPLETED[what]
    need(shell)
    path = script(installed, shell)
    running = _Shell([shell, *STARTS[shell]], installed)
    try:
        # The words are put together by the shell: its echo of what was typed must not look like its answer.
        running.type(READS[shell].format(path) + '; echo script-""read\n')
        running.wait_for("script-read")
        running.type(f"{typed}\t")
        running.wait_for(completed[len(typed) :].rstrip())
    finally:
        running.end()


@pytest.mark.parametrize("what", COMPLETED)
def test_fish_completes(installed: Airgap, what: str) -> None:
    typed, completed = COMPLETED[what]
    path = script(installed, "fish")
    said = subprocess.run(
        [need("fish"), "--no-config", "-c", f"source {path}; complete -C '{typed}'"],
        capture_output=True,
        text=True,
        cwd=installed.folder,
        env=installed.whole_environment(),
        check=True,
    )
    assert completed.split()[-1] in [line.partition("\t")[0] for line in said.stdout.splitlines()], said


def test_a_folder_is_asked_for_where_only_a_folder_serves(installed: Airgap) -> None:
    asked = {"_AIRGAP_COMPLETE": "bash_complete", "COMP_WORDS": "airgap import --output ", "COMP_CWORD": "3"}
    assert installed.run(environment=asked).text == "dir,\n"
    asked["COMP_WORDS"] = "airgap import --to "
    assert installed.run(environment=asked).text.strip() == ""


def test_another_shell_is_a_usage_error(airgap: Airgap) -> None:
    said = airgap.run("completion", "tcsh", code=2)
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in said.stderr

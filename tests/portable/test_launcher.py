# SPDX-License-Identifier: Apache-2.0
"""The launcher of the portable folder, beside a loader that only prints what it is given."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.portable.folder import launcher

SHELLS = ["sh", "bash", "busybox"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "a folder"
    (path / "lib").mkdir(parents=True)
    (path / "lib/ld-linux-x86-64.so.2").write_text('#!/bin/sh\nprintf "%s\\n" "${LD_PRELOAD-none}" "$@"\n')
    (path / "airgap").write_text(launcher("ld-linux-x86-64.so.2", "python3.13"))
    for name in ("airgap", "lib/ld-linux-x86-64.so.2"):
        (path / name).chmod(0o755)
    return path


def run(*command: str | Path, folder: Path, **environment: str) -> list[str]:
    whole = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        command, cwd=folder, env=whole, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_arguments_arrive_as_they_were(folder: Path) -> None:
    said = run(folder / "airgap", "a b", "", "*", "-x", folder=folder, LD_PRELOAD="libother.so")
    here = str(folder)
    assert said[:4] == ["none", "--inhibit-cache", "--library-path", f"{here}/lib"]
    assert said[4:] == [f"{here}/bin/python3.13", "-I", "-S", "-X", "utf8", f"{here}/app", "a b", "", "*", "-x"]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_finds_its_folder(shell: str, folder: Path, tmp_path: Path) -> None:
    """By a path, by the PATH, by links of links, by its bare name."""
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    if subprocess.run(["sh", "-c", f"command -v {words[0]}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{words[0]} is not installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/airgap").symlink_to("../second")
    (tmp_path / "second").symlink_to(folder / "airgap")
    for place, name in ((folder, "airgap"), (tmp_path, "a folder/airgap"), (tmp_path, "bin/airgap")):
        place_of_app = run(*words, name, folder=place)[9]
        assert (place / place_of_app).resolve() == folder / "app"
    assert run("airgap", folder=Path("/"), PATH=f"{tmp_path}/bin:{os.environ['PATH']}")[9].endswith("a folder/app")


def test_a_folder_that_may_not_be_executed_is_named(folder: Path) -> None:
    (folder / "lib/ld-linux-x86-64.so.2").chmod(0o644)
    done = subprocess.run([folder / "airgap"], capture_output=True, text=True, check=False)
    assert done.returncode == 126
    assert f"{folder}/lib/ld-linux-x86-64.so.2 cannot be executed" in done.stderr

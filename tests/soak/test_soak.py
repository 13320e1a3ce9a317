# SPDX-License-Identifier: Apache-2.0
"""Three minutes of soak, and the faults that it brings about; ``make soak`` goes on for longer."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.soak.rounds import soak
from tests.soak.world import build_shim

_SECONDS = 180
_JUMP = 1_000_000
_SCRIPT = f"""
import os, sys, time
print("jumped" if time.time() > {time.time() + _JUMP / 2} else "usual")
for change in (lambda: open("new", "w"), lambda: os.rename("old", "other"), lambda: os.unlink("old")):
    try:
        change()
        print("done")
    except OSError as error:
        print(os.strerror(error.errno))
"""


@pytest.mark.parametrize(
    ("fault", "after", "said"),
    [
        ("full", 0, ["usual", "No space left on device", "No space left on device", "done"]),
        ("read-only", 0, ["usual", *["Read-only file system"] * 3]),
        ("full", 1, ["usual", "done", "No space left on device", "done"]),
        ("clock", 0, ["jumped", "done", "done", "No such file or directory"]),
    ],
)
def test_a_fault_begins_after_some_calls(tmp_path: Path, fault: str, after: int, said: list[str]) -> None:
    environment = {
        "LD_PRELOAD": str(build_shim(tmp_path)), "SOAK_FAULT": fault, "SOAK_AFTER": str(after), "SOAK_JUMP": str(_JUMP)
    }  # fmt: skip
    (tmp_path / "old").touch()
    done = subprocess.run(
        [sys.executable, "-BISc", _SCRIPT], capture_output=True, env=environment, cwd=tmp_path, check=True, text=True
    )
    assert done.stdout.splitlines() == said


@pytest.mark.long
def test_three_minutes(tmp_path: Path) -> None:
    soak(tmp_path, _SECONDS, random.SystemRandom().randrange(1 << 32), print)

# SPDX-License-Identifier: Apache-2.0
"""Runs a command as users do, and measures the memory that its process took at most."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import TRACEBACK, Airgap

#: What every command stays under, whatever it reads.
MOST = 100 * 1024 * 1024
_PROGRAM = """
import atexit, sys
from airgap.cli import main
told = sys.argv.pop(1)
def tell():
    with open("/proc/self/status") as status, open(told, "w") as file:
        file.write(status.read())
atexit.register(tell)
main()
"""


@dataclass(frozen=True)
class Measured:
    """How a command ended, what it said, and its peak in bytes."""

    code: int
    stdout: str
    stderr: str
    peak: int


def measured(
    airgap: Airgap,
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    most: int = MOST,
    seconds: float = 60,
) -> Measured:
    """Run the command in a process of its own; assert that it took less than ``most`` and shows no traceback."""
    told = airgap.home / "status"
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(told), *map(str, arguments)],
        cwd=airgap.folder,
        env=airgap.whole_environment({"PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    stderr = done.stderr.decode()
    assert not TRACEBACK.search(stderr), stderr
    found = re.search(r"VmHWM:\s+(\d+) kB", told.read_text())
    assert found is not None
    result = Measured(done.returncode, done.stdout.decode(), stderr, int(found[1]) * 1024)
    assert result.peak < most, f"{result.peak / 1024 / 1024:.0f} MiB: {stderr[:500]}"
    return result

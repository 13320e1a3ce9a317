# SPDX-License-Identifier: Apache-2.0
"""A command in a process of its own whose greatest memory is measured."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import TRACEBACK, Airgap

#: MiB that no command takes against any attack.
MOST = 100
_SCRIPT = """
import sys
from airgap.cli.run import run
code = run(sys.argv[1:])
with open("/proc/self/status") as status:
    print(status.read().partition("VmHWM:")[2].split()[0])
sys.exit(code)
"""


@dataclass(frozen=True)
class Measured:
    """How a command ended, what it said, and how many MiB of memory it took at most."""

    code: int
    stderr: str
    mebibytes: float

    @property
    def errors(self) -> list[str]:
        return [line.removeprefix("error: ") for line in self.stderr.splitlines() if line.startswith("error: ")]


def measured(airgap: Airgap, *arguments: str | Path, environment: dict[str, str] | None = None) -> Measured:
    """Run ``airgap`` with ``arguments`` to its end. There is no traceback, and not more memory than :data:`MOST`."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *map(str, arguments)],
        capture_output=True,
        cwd=airgap.folder,
        env=airgap.whole_environment(environment),
        timeout=60,
        check=False,
        text=True,
    )
    assert not TRACEBACK.search(done.stderr), done.stderr
    result = Measured(done.returncode, done.stderr, int(done.stdout.split()[-1]) / 1024)
    assert result.mebibytes < MOST, (result.mebibytes, done.stderr)
    return result

# SPDX-License-Identifier: Apache-2.0
"""The portable folder of this machine's architecture, built once for all tests that are marked ``long``."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.fixtures import *  # noqa: F403
from tests.parts.need import need

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Built:
    """An archive of ``make portable``, and the folder that was unpacked from it."""

    archive: Path
    folder: Path

    @property
    def program(self) -> str:
        return str(self.folder / "airgap")


def build(output: Path, *arguments: str, umask: int = 0o022, **environment: str) -> Path:
    """Run ``tools/portable`` and return the archive that it made."""
    need("apt-get")
    work = output.parent / f"{output.name}-work"
    command = [sys.executable, "-m", "tools.portable", "--output", output, "--work", work]
    made = subprocess.run(
        [*map(str, command), *arguments],
        check=False,
        capture_output=True,
        text=True,
        umask=umask,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


def unpacked(archive: Path, folder: Path) -> Built:
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "xzf", archive, "-C", folder], check=True)
    return Built(archive, folder / "airgap-portable")


@pytest.fixture(scope="session")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("portable")
    return unpacked(build(folder / "dist"), folder / "unpacked")

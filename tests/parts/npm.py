# SPDX-License-Identifier: Apache-2.0
"""Programs out of npm packages, each kept in ``.tools/`` of the tree.

Where npm cannot fetch a package, the test is skipped by name; with ``AIRGAP_REQUIRE_PARTS`` and npm at hand it fails.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.parts.helm import TOOLS
from tests.parts.need import need


def npm_package(name: str, version: str) -> Path:
    """The folder of an installed package, whose dependencies lie beside it. Its scripts do not run."""
    npm, folder = need("npm"), TOOLS / f"{name.replace('/', '-').lstrip('@')}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / "node_modules" / name
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers ask at the same time
        if not (package / "package.json").exists():
            (folder / "package.json").write_text(json.dumps({"private": True}))
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"{name}@{version}"]
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            if run.returncode or not (package / "package.json").exists():
                why = f"{name} cannot be had: {run.stderr.strip()[-300:]}"
                if os.environ.get("AIRGAP_REQUIRE_PARTS"):
                    pytest.fail(why, pytrace=False)
                pytest.skip(why)
    return package

# SPDX-License-Identifier: Apache-2.0
"""verdaccio, a registry of npm packages, out of its own npm package, kept in ``.tools/`` of the tree.

It is large, so tests that use it are long ones. Where npm cannot fetch it, they are skipped by name; with
``AIRGAP_REQUIRE_PARTS`` and npm at hand they fail.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.helm import TOOLS
from tests.parts.need import need
from tests.parts.service import LOOPBACK, accepts, clean_environment, free_port, running

VERSION = "6.2.0"
#: One of its dependencies names another by a tag that mirrors of the registry do not all have.
_OVERRIDES = {"node-fetch": "2.6.7"}


@contextlib.contextmanager
def verdaccio(folder: Path) -> Iterator[str]:
    """Start one whose packages everybody may read and publish, without any other registry behind it; its address."""
    program = _program()
    folder.mkdir(parents=True)
    packages = {"**": {"access": "$all", "publish": "$all"}}
    config = {
        "storage": str(folder / "storage"),
        "packages": packages,
        "uplinks": {},
        "auth": {},
        "web": {"enable": False},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    port = free_port()
    command = [need("node"), str(program), "--config", str(folder / "config.yaml"), "--listen", f"{LOOPBACK}:{port}"]
    environment = clean_environment(folder)
    with running(command, log=folder / "log", ready=lambda: accepts(port), environment=environment, seconds=60):
        yield f"http://{LOOPBACK}:{port}"


def _program() -> Path:
    npm, folder = need("npm"), TOOLS / f"verdaccio-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node_modules/verdaccio/bin/verdaccio"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers ask at the same time
        if not program.exists():
            (folder / "package.json").write_text(json.dumps({"private": True, "overrides": _OVERRIDES}))
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"verdaccio@{VERSION}"]
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)
            if run.returncode or not program.exists():
                shutil.rmtree(folder / "node_modules", ignore_errors=True)
                why = f"verdaccio cannot be had: {run.stderr.strip()[-300:]}"
                if os.environ.get("AIRGAP_REQUIRE_PARTS"):
                    pytest.fail(why, pytrace=False)
                pytest.skip(why)
    return program

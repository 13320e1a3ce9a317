# SPDX-License-Identifier: Apache-2.0
"""axe-core, the accessibility checker, out of its npm package, kept in ``.tools/`` of the tree.

Where npm cannot fetch it, the test is skipped by name; with ``AIRGAP_REQUIRE_PARTS`` and npm at hand it fails.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from typing import Any

import pytest

from tests.parts.browser import Browser
from tests.parts.helm import TOOLS
from tests.parts.need import need

VERSION = "4.14.1"


def violations(browser: Browser) -> list[dict[str, Any]]:
    """What axe reports of the page that is open: each rule with its impact and the elements that break it."""
    browser.evaluate(_script())
    result = json.loads(browser.evaluate("axe.run().then(result => JSON.stringify(result.violations))"))
    return [
        {"rule": one["id"], "impact": one["impact"], "nodes": [node["html"] for node in one["nodes"]]} for one in result
    ]


def _script() -> str:
    npm, folder = need("npm"), TOOLS / f"axe-core-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "node_modules/axe-core/axe.min.js"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers ask at the same time
        if not script.exists():
            (folder / "package.json").write_text(json.dumps({"private": True}))
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"axe-core@{VERSION}"]
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            if run.returncode or not script.exists():
                why = f"axe-core cannot be had: {run.stderr.strip()[-300:]}"
                if os.environ.get("AIRGAP_REQUIRE_PARTS"):
                    pytest.fail(why, pytrace=False)
                pytest.skip(why)
    return script.read_text(encoding="utf-8")

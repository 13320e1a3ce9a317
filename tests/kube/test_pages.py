# SPDX-License-Identifier: Apache-2.0
"""docs/discovery.md says what the rules say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from airgap.kube.detect import rules

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_are_made_from_the_rules() -> None:
    command = [sys.executable, str(ROOT / "tools/discovery.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in ("discovery.md", "discovery.ko.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        for rule in (*rules.FIELDS, *rules.ARGUMENTS, *rules.ENVIRONMENT, rules.KUSTOMIZE, rules.SHAPE):
            assert f"`{rule.id}`" in text
            assert rule.why in text

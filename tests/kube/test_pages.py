# SPDX-License-Identifier: Apache-2.0
"""docs/discovery.md says what the rules say."""

from __future__ import annotations

import re
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
        for rule in (*rules.FIELDS, *rules.ARGUMENTS, rules.ENVIRONMENT_IMAGE, rules.KUSTOMIZE, rules.SHAPE):
            assert f"`{rule.id}`" in text
            assert (rule.why in text) == (page == "discovery.md")


def test_the_korean_page_is_korean_to_the_last_cell() -> None:
    """Outside of code marks no cell is in English words alone."""
    rows = [line for line in (ROOT / "docs/discovery.ko.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) > 100
    for row in rows:
        for cell in re.split(r"(?<!\\)\|", row)[1:-1]:
            words = re.sub(r"`[^`]*`", "", cell)
            is_name = re.fullmatch(r"\s*(?:airgap: .*|kbld .*|Zarf .*)", words) is not None
            assert is_name or not re.search("[A-Za-z]", words) or re.search("[가-힣]", words), row

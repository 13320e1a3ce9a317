# SPDX-License-Identifier: Apache-2.0
"""docs/error-messages.md and its Korean twin say what the table says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from airgap.explain import known_messages

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_are_made_from_the_table() -> None:
    command = [sys.executable, str(ROOT / "tools/error_messages.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in ("error-messages.md", "error-messages.ko.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        assert re.findall(r'<a id="(.*)"></a>', text) == [message.id for message in known_messages()]
        for message in known_messages():
            for phrase in message.phrases:
                assert f"> `{phrase}`" in text


def test_every_guide_is_there_in_both_languages() -> None:
    for guide in {message.guide for message in known_messages() if message.guide}:
        for name in (guide, guide.replace(".md", ".ko.md")):
            assert (ROOT / "docs" / name).is_file(), name

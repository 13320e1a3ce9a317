# SPDX-License-Identifier: Apache-2.0
"""The commands of a Markdown page, for tests that do what the page says."""

from __future__ import annotations

import re
from pathlib import Path


def section(page: Path, heading: str) -> str:
    """What stands below ``## heading``, up to the next of its level."""
    parts = re.split(r"^## (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert heading in found, f"{page.name} has no section {heading!r}"
    return found[heading]


def commands(page: Path, heading: str) -> list[str]:
    """The command lines in the code blocks of a section: continued lines joined, comments taken off."""
    blocks = re.findall(r"^ *```(?:console)?\n(.*?)^ *```", section(page, heading), flags=re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in (re.sub(r"\s+#.*| {2,}", " ", line).strip() for line in lines) if line]

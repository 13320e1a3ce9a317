# SPDX-License-Identifier: Apache-2.0
"""The guides that README names: each link leads to a page and a section, and both languages give the same commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.parts.pages import commands, section

ROOT = Path(__file__).resolve().parent.parent
READMES = {"README.md": "Guides", "README.ko.md": "안내서"}
NAMES = [
    "Nexus from nothing",
    "HTTP registry",
    "HTTPS NodePort and certificates",
    "Ingress subpath",
    "Moving an old Nexus",
    "Error messages",
]


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def linked(readme: str) -> list[tuple[str, Path, str]]:
    """Each guide of a README: its name there, its page, and the heading that the link leads to."""
    found = []
    for name, page, anchor in re.findall(
        r"^- \[(.+?)\]\(([^)#]+)#?(.*?)\)", section(ROOT / readme, READMES[readme]), re.MULTILINE
    ):
        headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
        (heading,) = [one for one in headings if slug(one) == anchor] if anchor else headings[:1]
        found.append((name, ROOT / page, heading))
    return found


@pytest.mark.parametrize("readme", READMES)
def test_each_is_called_what_its_page_calls_it(readme: str) -> None:
    assert [name for name, _, _ in linked(readme)] == [heading for _, _, heading in linked(readme)]
    assert len(linked(readme)) == len(NAMES)
    if readme == "README.md":
        assert [name for name, _, _ in linked(readme)] == NAMES


@pytest.mark.parametrize("number", range(4), ids=NAMES[:4])
def test_both_languages_give_the_same_commands(number: int) -> None:
    (_, page, heading), (_, korean_page, korean) = (linked(readme)[number] for readme in READMES)
    given = commands(page, heading)
    assert given == commands(korean_page, korean)
    assert any(line.startswith("airgap ") for line in given)

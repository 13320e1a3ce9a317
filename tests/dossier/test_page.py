# SPDX-License-Identifier: Apache-2.0
"""The page of a dossier as an officer meets it: opened from disk, in both languages, printed, read aloud."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.dossier.samples import Office
from tests.parts import axe
from tests.parts.browser import Browser, browser
from tests.parts.need import need

#: Attributes by which a page refers to something.
REFERENCES = {"href", "src", "srcset", "action", "data", "poster", "background", "formaction", "xlink:href", "style"}


class Reader(HTMLParser):
    """Collects the elements and the references of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.references: list[str] = []
        self.policy: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.policy += [value or "" for name, value in attrs if name == "content" and tag == "meta"]
        self.references += [value or "" for name, value in attrs if name in REFERENCES]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


def test_it_refers_to_nothing_outside_and_runs_nothing(page: Path) -> None:
    text = page.read_text()
    read = Reader(text)
    assert read.references
    assert all(reference.startswith("#") for reference in read.references)
    assert not read.names & {"script", "iframe", "object", "embed", "link", "img", "form", "base", "svg"}
    assert not [name for name in read.attributes if name.startswith("on")]
    assert any(policy.startswith("default-src 'none'; style-src 'sha256-") for policy in read.policy)
    assert not re.search(r"url\(|@import", text)


def test_hostile_text_is_shown_as_text(page: Path) -> None:
    text = page.read_text()
    shown = Reader(text).text
    assert 'javascript:alert(1)"><script>alert(1)</script>' in shown
    assert "\\u202egpj.exe\\u200b" in shown
    assert "<script>alert(2)</script>" in shown
    assert "two <b>.yaml" in shown
    assert not set(text) & set("\u202e\u200b\x1b")


def test_it_opens_from_disk_and_switches_its_language(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    korean = chromium.text()
    assert chromium.requests() == [page.as_uri()]
    assert chromium.problems() == []
    assert "한눈에 보기" in korean
    assert "At a glance" not in korean
    chromium.click("#en")
    english = chromium.text()
    assert "At a glance" in english
    assert "한눈에" not in english
    for both in ("quay.io/team/api:2.4.1", "11월 정기 보안 패치", "usr/bin/sudo", "2.36-9"):
        # Packages are folded, until somebody asks for them.
        assert (both in korean) == (both in english) == (both != "2.36-9"), both
    chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert "2.36-9+deb12u9" in chromium.text()
    assert chromium.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")


def test_it_prints_on_a4_in_both_languages(chromium: Browser, page: Path, tmp_path: Path) -> None:
    need("pdftotext", package="poppler-utils")
    chromium.open(page)
    for language, heading, role in (("ko", "한눈에 보기", "승인자"), ("en", "At a glance", "Approver")):
        chromium.click(f"#{language}")
        (tmp_path / "page.pdf").write_bytes(chromium.pdf())
        info = subprocess.run(["pdfinfo", tmp_path / "page.pdf"], capture_output=True, text=True, check=True).stdout
        assert re.search(r"Page size: +59[45]\S* x 84[12]", info), info
        text = subprocess.run(
            ["pdftotext", "-layout", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True
        ).stdout
        first = text.split("\f")[0]
        assert heading in first
        assert role in first
        assert "English" not in text  # the switch is not printed
        assert "usr/bin/sudo" in text
        assert re.search(r"\b1 ?/ ?\d", first)


@pytest.mark.parametrize(
    ("folder", "language"),
    [
        ("dossier", "ko"),
        pytest.param("dossier", "en", marks=pytest.mark.long),
        pytest.param("planned", "en", marks=pytest.mark.long),
    ],
)
def test_nothing_keeps_anybody_from_reading_it(chromium: Browser, office: Office, folder: str, language: str) -> None:
    chromium.open(office.airgap.folder / folder / "bundle.html")
    chromium.click(f"#{language}")
    chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert axe.violations(chromium) == []

# SPDX-License-Identifier: Apache-2.0
"""README and docs: short enough, in two languages with the same commands, with links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import airgap
from tests.parts.pages import section
from tests.test_guides import slug

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path
    for folder in ("", "docs", "manifests", "samples", "bench")
    for path in (ROOT / folder).glob("*.md")
    if "RESULTS" not in path.name
)
#: Pages that exist in English and in Korean.
TWINS = [path for path in PAGES if path.with_name(f"{path.stem}.ko.md").exists()]


def prose(path: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def code(path: Path) -> list[str]:
    """The lines of the code blocks, without comments and blanks at the ends."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in "".join(blocks).splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_fits_in_a_hundred_lines(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 100
    assert max(map(len, lines)) <= 150
    assert {"make demo", "make test"} <= {line.partition("  ")[0] for line in lines[:16]}


def test_the_two_first_commands_are_those_that_a_machine_runs_on_every_change() -> None:
    run = (ROOT / ".ci/run").read_text()
    assert re.findall(r"^make \w+$", run, re.MULTILINE) == ["make test", "make check", "make demo"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", prose(path)):
        page = (path.parent / target) if target else path
        assert page.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in map(slug, headings), f"{target}#{anchor}"


@pytest.mark.parametrize("path", TWINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_both_languages_have_the_same_commands(path: Path) -> None:
    """All lines of code, but those of JSON, in which words stand for values."""
    english, korean = (
        [line for line in code(page) if line[0] not in '{"'] for page in (path, path.with_name(f"{path.stem}.ko.md"))
    )
    assert english == korean


@pytest.mark.parametrize("path", TWINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_both_languages_have_as_many_rows_and_sections(path: Path) -> None:
    """What is added to one page and forgotten on the other shows here."""

    def shape(page: Path) -> tuple[int, int]:
        text = prose(page)
        return text.count("\n|"), len(re.findall(r"^##+ ", text, re.MULTILINE))

    assert shape(path) == shape(path.with_name(f"{path.stem}.ko.md"))


def test_docs_name_no_other_distribution() -> None:
    """The name airgap on the public index belongs to another project."""
    for path in [*PAGES, *(ROOT / "manifests").rglob("*.yaml"), *(ROOT / "samples").rglob("*.yaml")]:
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            assert not re.search(r"\b(?:pip|pipx|uv tool) install airgap\b(?!_oci|-oci)", line), f"{path}: {line}"


def test_the_wheel_that_readme_installs_is_this_version() -> None:
    for name in ("README.md", "README.ko.md"):
        wheels = set(re.findall(r"airgap_oci-\S+\.whl", (ROOT / name).read_text(encoding="utf-8")))
        assert wheels == {f"airgap_oci-{airgap.__version__}-py3-none-linux_x86_64.whl"}


def test_the_changelog_has_this_version_and_a_place_for_the_next() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(airgap.__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_readmes_example_is_what_the_program_writes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    before, after = re.findall(r"^[-+] .*$", text, re.MULTILINE)[:2]
    sample = ROOT / "samples/cert-manager"
    assert before[1:] in (sample / "cert-manager.yaml").read_text().splitlines()
    assert after[1:] in (sample / "rewritten/cert-manager.yaml").read_text().splitlines()
    (image,) = yaml.safe_load(f"[{after[1:].strip()}]")
    assert image == {"image": "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4"}


@pytest.mark.parametrize("name", ["two-sides.svg", "two-sides.ko.svg"])
def test_the_picture_says_in_words_what_it_shows(name: str) -> None:
    drawn = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert "<title" in drawn
    assert "prefers-color-scheme: dark" in drawn
    readme = "README.ko.md" if ".ko." in name else "README.md"
    assert f"](docs/{name})" in (ROOT / readme).read_text(encoding="utf-8")


def test_every_command_is_in_the_list() -> None:
    from airgap.cli.app import COMMANDS

    for name in ("docs/commands.md", "docs/commands.ko.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert [command for command in COMMANDS if f"`airgap {command}" not in text] == []


def test_versions_lists_the_features_that_there_are() -> None:
    from airgap.bundle.document_format import FEATURES

    page = section(ROOT / "docs/versions.md", "The bundle and the other files")
    listed = dict(re.findall(r"^\| `([\w:/-]+)` \|.*\| ([\d.]+) \|$", page, re.MULTILINE))
    assert listed == dict(FEATURES)

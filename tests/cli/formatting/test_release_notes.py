# SPDX-License-Identifier: Apache-2.0
"""Release notes in Markdown: what moved, in the order of how much it may surprise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import Images

SECTIONS = [
    "# plant 1.10", "## Same tag, other content", "## Updates", "## New images", "## Images that are gone",
    "## Platforms", "## Packages and files",
]  # fmt: skip


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bundles, of which the second has everything that notes tell of."""
    folder, images = tmp_path_factory.mktemp("releases"), Images(8)
    airgap = Airgap(folder, folder)
    raw = {"raw": [{"path": "manual.txt", "directory": "manuals"}]}
    with Registry() as registry:
        mirror = {"quay.io": {"mirror": registry.url}}
        shared = images.image(size=2_000)
        registry.fill(images, {"a/same:1": shared, "a/moved:1": images.image(size=3_000)})
        registry.fill(images, {"a/app:1.0": images.image(size=2_000), "a/gone:1": images.image(size=2_000)})
        registry.fill(images, {"a/wide:1": images.two_platforms(size=2_000)})
        airgap.write("manual.txt", "first")
        airgap.write("airgap.yaml", settings(mirror, name="plant", version="1.9", artifacts=raw))
        names = ["same:1", "moved:1", "app:1.0", "gone:1", "wide:1"]
        export(airgap, "old.tar", names, "linux/amd64")
        registry.fill(images, {"a/moved:1": images.image(size=3_000), "a/app:1.1": images.image(size=2_000)})
        registry.fill(images, {"a/new:1": images.image(size=2_000)})
        airgap.write("manual.txt", "second")
        airgap.write("airgap.yaml", settings(mirror, name="plant", version="1.10", artifacts=raw))
        export(airgap, "new.tar", ["same:1", "moved:1", "app:1.1", "new:1", "wide:1"])
    return folder


def export(airgap: Airgap, output: str, names: list[str], platform: str = "") -> None:
    images = [word for name in names for word in ("--image", f"quay.io/a/{name}")]
    more = ["--platform", platform] if platform else []
    airgap.run("export", *images, *more, "-o", output)


def notes(airgap: Airgap, releases: Path, *more: str) -> str:
    for name in ("old.tar", "new.tar"):
        shutil.copy(releases / name, airgap.folder)
    return airgap.run("diff", "old.tar", "new.tar", "--markdown", *more).text


def test_sections_in_their_order(airgap: Airgap, releases: Path) -> None:
    text = notes(airgap, releases)
    assert [line for line in text.splitlines() if line.startswith("#")] == SECTIONS
    assert "Compared with plant 1.9; 1 image did not change." in text


@pytest.mark.parametrize(
    ("section", "line"),
    [
        (1, "| `quay.io/a/moved:1` | `sha256:"),
        (2, "| `quay.io/a/app` | `1.0` | `1.1` |"),
        (3, "- `quay.io/a/new:1` ("),
        (4, "- `quay.io/a/gone:1`"),
        (5, "| `quay.io/a/wide:1` | linux/amd64 | linux/amd64, linux/arm64 |"),
        (6, "| raw | `manuals/manual.txt` | `"),
    ],
)
def test_each_section_has_its_own(airgap: Airgap, releases: Path, section: int, line: str) -> None:
    text = notes(airgap, releases)
    own = text.split(SECTIONS[section])[1].split("\n## ")[0]
    assert line in own
    if section in (2, 3, 4):
        assert sum(other in own for other in ("a/moved", "a/app", "a/new", "a/gone")) == 1


def test_nothing_changed(airgap: Airgap, releases: Path) -> None:
    shutil.copy(releases / "new.tar", airgap.folder)
    text = airgap.run("diff", "new.tar", "new.tar", "--markdown").text
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# plant 1.10"]
    assert "5 images did not change. 0 B cross, 0 B are no longer needed." in text


def test_it_is_one_of_two_outputs(airgap: Airgap, releases: Path) -> None:
    shutil.copy(releases / "new.tar", airgap.folder)
    assert "two outputs" in airgap.fails(2, "diff", "new.tar", "new.tar", "--markdown", "--json").stderr

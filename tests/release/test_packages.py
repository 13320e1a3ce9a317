# SPDX-License-Identifier: Apache-2.0
"""The packages in the images of two releases: they are kept in a small file, and what changed stands in the notes."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap import limits
from airgap.bundle.comparison import ByteCounts, Comparison, ImageComparison
from airgap.dossier.facts import Contents, ImageFacts, Package, PlatformFacts
from airgap.i18n import in_language
from airgap.release.notes import MOST_PACKAGES, release_notes
from airgap.release.packages import PackageChange, changed_packages, packages_of, read_packages, to_bytes

NONE = ByteCounts(0, 0, 0)


def image(reference: str, *contents: Contents) -> ImageFacts:
    platforms = [PlatformFacts(f"linux/{number}", "", 0, (), contents=one) for number, one in enumerate(contents)]
    return ImageFacts(reference, "", "", "", 0, 0, platforms)


def compared(reference: str, status: str, old: str, new: str) -> ImageComparison:
    return ImageComparison(reference, status, old, new, NONE)  # type: ignore[arg-type] # a status, as a text


def test_packages_of_all_platforms_together(tmp_path: Path) -> None:
    first = Contents([Package("deb", "openssl", "3.0"), Package("deb", "zlib", "1.2")])
    second = Contents([Package("deb", "openssl", "3.1")])
    unknown = Contents(unread="layers are not in this bundle")
    images = [image("q/b:1", first, second), image("q/a:1", first), image("q/c:1", first, unknown), image("q/d:1")]
    lists = packages_of(images)
    assert lists == {
        "q/b:1": {"deb openssl": ["3.0", "3.1"], "deb zlib": ["1.2"]},
        "q/a:1": {"deb openssl": ["3.0"], "deb zlib": ["1.2"]},
    }
    path = tmp_path / "p.packages.json"
    path.write_bytes(to_bytes(lists))
    assert read_packages(path) == lists
    assert to_bytes(dict(reversed(lists.items()))) == to_bytes(lists)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"format":2,"images":{}}', b'{"format":1,"images":[]}', b"\xff"]
)
def test_a_file_that_cannot_be_used_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    assert read_packages(tmp_path / "p") is None
    assert read_packages(tmp_path / "missing") is None
    (tmp_path / "p").write_bytes(to_bytes({"a": {}}))
    with limits.changed({"dossier-bytes": 10}):
        assert read_packages(tmp_path / "p") is None


def test_what_changed_in_images_that_both_have() -> None:
    comparison = Comparison(
        (
            compared("q/app:1", "removed", "old", ""),
            compared("q/app:2", "added", "", "new"),
            compared("q/base:1", "changed", "old", "new"),
            compared("q/same:1", "kept", "one", "one"),
            compared("q/fresh:1", "added", "", "new"),
        ),
        NONE,
    )
    old = {"q/app:1": {"deb a": ["1"], "deb b": ["1"], "deb gone": ["1"]}, "q/base:1": {"apk c": ["1", "2"]}}
    new = {
        "q/app:2": {"deb a": ["2"], "deb b": ["1"], "deb new": ["9"]},
        "q/base:1": {"apk c": ["2"]},
        "q/fresh:1": {"x": ["1"]},
    }
    changes = changed_packages(comparison, old, new)
    assert changes == [
        PackageChange("q/app", "deb a", "1", "2"),
        PackageChange("q/app", "deb gone", "1", ""),
        PackageChange("q/app", "deb new", "", "9"),
        PackageChange("q/base:1", "apk c", "1, 2", "2"),
    ]
    text = release_notes(comparison, "p 1", "p 2", changes)
    assert (
        "## Packages inside images\n\n| image | package | before | now |\n|-|-|-|-|\n| `q/app` | `deb a` | `1`" in text
    )
    assert text.index("Same tag, other content") < text.index("Packages inside images")
    assert changed_packages(comparison, {}, new) == []
    many = [PackageChange("q/app", f"deb p{number}", "1", "2") for number in range(MOST_PACKAGES + 3)]
    assert "3 more are not shown." in release_notes(comparison, "p 1", "p 2", many)
    with in_language("ko"):
        assert "이미지 안의 패키지" in release_notes(comparison, "p 1", "p 2", changes)

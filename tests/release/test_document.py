# SPDX-License-Identifier: Apache-2.0
"""``release.json`` comes back as it was. One that leads out of its folder or disagrees with itself is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airgap import limits
from airgap.errors import BundleError, UnsupportedBundle, UsageError
from airgap.release import DOCUMENT_NAME, Release, ReleaseBundle, ReleaseFile, SiteRelease, read_release

IDS = ["a" * 64, "b" * 64, "c" * 64]
SHA256 = "d" * 64
RELEASE = Release(
    "my-platform",
    "1.10",
    (
        ReleaseBundle(IDS[0], 30, ("p.tar.001", "p.tar.002"), ("p.tar.p001",), ("p.html",)),
        ReleaseBundle(IDS[1], 5, ("p-since-1.9.tar",), since=SiteRelease("1.9", IDS[2])),
    ),
    (
        ReleaseFile("SHA256SUMS", 100, SHA256, "checksums"),
        ReleaseFile("install.ko.md", 1, SHA256, "install"),
        ReleaseFile("p-since-1.9.tar", 5, SHA256, "bundle", IDS[1]),
        ReleaseFile("p.html", 9, SHA256, "dossier", IDS[0]),
        ReleaseFile("p.tar.001", 20, SHA256, "bundle", IDS[0]),
        ReleaseFile("p.tar.002", 10, SHA256, "bundle", IDS[0]),
        ReleaseFile("p.tar.p001", 21, SHA256, "parity", IDS[0]),
        ReleaseFile("p.tar.sha256", 99, SHA256, "checksums", IDS[0]),
    ),
)
Edit = Callable[[dict[str, Any]], object]


def parse(content: bytes) -> Release:
    return Release.from_bytes(content, where=DOCUMENT_NAME)


def edited(edit: Edit) -> bytes:
    document = json.loads(RELEASE.to_bytes())
    edit(document)
    return json.dumps(document).encode()


def test_round_trip() -> None:
    assert parse(RELEASE.to_bytes()) == RELEASE
    assert parse(RELEASE.to_bytes()).to_bytes() == RELEASE.to_bytes()
    assert (RELEASE.full.kind, [one.kind for one in RELEASE.differentials]) == ("full", ["differential"])
    assert RELEASE.title == "my-platform-1.10"


def test_keys_and_roles_that_a_later_version_adds_are_kept_out_of_the_way() -> None:
    content = edited(lambda d: (d.update(new=1), d["files"][1].update(role="video", more=[])))
    assert [file.role for file in parse(content).files][:2] == ["checksums", "video"]


def test_a_newer_format_names_the_version_that_reads_it() -> None:
    with pytest.raises(UnsupportedBundle, match=r"airgap 9\.0\.0"):
        parse(edited(lambda d: d.update(format=2, tool="airgap 9.0.0")))


@pytest.mark.parametrize(
    "name",
    ["../p.html", "/etc/passwd", "a/b", "a\\b", "", ".", "..", ".hidden", "-rf", "a\nb", "a\0b", "a\u202eb", "\ud800",
     "x" * 256, 7, None],
)  # fmt: skip
def test_names_that_are_not_plain_files_of_the_folder(name: object) -> None:
    def in_list(document: dict[str, Any]) -> None:
        document["files"][3]["name"] = name
        document["bundles"][0]["dossier"] = [name]

    for edit in (in_list, lambda d: d.update(name=name), lambda d: d.update(version=name)):
        with pytest.raises(BundleError, match=r"release\.json is unreadable"):
            parse(edited(edit))


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["files"][0].update(size=-1),
        lambda d: d["files"][0].update(size=True),
        lambda d: d["files"][0].update(size="5"),
        lambda d: d["files"][0].update(size=1 << 63),
        lambda d: d["files"][0].update(sha256="A" * 64),
        lambda d: d["files"][0].update(role="Bundle!"),
        lambda d: d["files"][0].pop("sha256"),
        lambda d: d["files"][0].update(bundle="e" * 64),  # a bundle that is not there
        lambda d: d["files"][0].update(name=DOCUMENT_NAME),
        lambda d: d["files"].append(d["files"][0]),
        lambda d: d["files"].pop(4),  # a volume
        lambda d: d["files"].append({**d["files"][4], "name": "p.tar.003"}),  # a volume of no bundle
        lambda d: d["files"][4].update(bundle=IDS[1]),
        lambda d: d["files"][4].update(role="dossier"),
        lambda d: d["files"][4].update(size=21),
        lambda d: d["bundles"].reverse(),
        lambda d: d["bundles"].clear(),
        lambda d: d["bundles"].append(d["bundles"][1]),
        lambda d: d["bundles"][1]["since"].update(id=IDS[0]),  # the release itself
        lambda d: d["bundles"][1].update(since=None),
        lambda d: d["bundles"][1].update(kind="full"),
        lambda d: d["bundles"][0].update(files=[], size=0),
        lambda d: d["bundles"][0].update(files="p.tar.001"),
        lambda d: d["bundles"][0]["files"].append("p.tar.001"),
        lambda d: d["bundles"][0]["parity"].append("p.tar.001"),
        lambda d: d["bundles"][0].update(id="x"),
        lambda d: d.update(files={}),
        lambda d: d.pop("bundles"),
    ],
)
def test_documents_that_disagree_with_themselves(edit: Edit) -> None:
    with pytest.raises(BundleError, match=r"release\.json is unreadable"):
        parse(edited(edit))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b'{"format":1}', b'"\\ud800"'])
def test_what_is_no_document(content: bytes) -> None:
    with pytest.raises(BundleError):
        parse(content)


def test_a_folder_is_read_within_the_limit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=DOCUMENT_NAME):
        read_release(tmp_path)
    content = RELEASE.to_bytes()
    (tmp_path / DOCUMENT_NAME).write_bytes(content)
    with limits.changed({"document-bytes": len(content)}):
        assert read_release(tmp_path) == RELEASE
    with limits.changed({"document-bytes": len(content) - 1}), pytest.raises(BundleError) as refused:
        read_release(tmp_path)
    assert "document-bytes" in str(refused.value.hint)

# SPDX-License-Identifier: Apache-2.0
"""Which files of a release are at hand, in its folder and elsewhere. A hostile document opens no other file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap.errors import ContentMissing, UsageError
from airgap.release import DOCUMENT_NAME
from airgap.release.at_hand import full_bundle, open_release, release_folder
from tests.release.test_document import RELEASE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All files of a release, each of its size."""
    made = tmp_path / "release"
    made.mkdir()
    (made / DOCUMENT_NAME).write_bytes(RELEASE.to_bytes())
    for file in RELEASE.files:
        (made / file.name).write_bytes(b"x" * file.size)
    return made


def test_the_folder_or_its_document(folder: Path) -> None:
    assert release_folder(folder) == folder
    assert release_folder(folder / DOCUMENT_NAME) == folder
    assert release_folder(folder / "p.tar.001") is None
    assert release_folder(folder.parent) is None
    opened = open_release(folder)
    assert opened.paths.keys() == {file.name for file in RELEASE.files}
    assert full_bundle(opened) == [folder / "p.tar.001", folder / "p.tar.002"]


def test_files_in_other_places(folder: Path, tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    disc.mkdir()
    for name in ("p.tar.001", "p.tar.002"):
        (folder / name).rename(disc / name)
    assert full_bundle(open_release(folder, [disc])) == [disc / "p.tar.001", disc / "p.tar.002"]
    named = open_release(folder, [disc / "p.tar.002"])
    assert [file.name for file in named.missing(RELEASE.full)] == ["p.tar.001"]
    (disc / "other.tar").write_bytes(b"")
    with pytest.raises(UsageError, match="this is no file of the release"):
        open_release(folder, [disc / "other.tar"])
    with pytest.raises(UsageError):
        open_release(folder, [disc / "p.tar.003"])


def test_a_file_of_another_size_a_link_or_a_pipe_is_not_used(folder: Path, tmp_path: Path) -> None:
    (folder / "p.tar.001").write_bytes(b"short")
    outside = tmp_path / "outside"
    outside.write_bytes(b"x" * 10)
    (folder / "p.tar.002").unlink()
    (folder / "p.tar.002").symlink_to(outside)
    (folder / "p-since-1.9.tar").unlink()
    os.mkfifo(folder / "p-since-1.9.tar")
    opened = open_release(folder)
    assert opened.refused == {
        "p.tar.001": "5 bytes instead of 20",
        "p.tar.002": "a link or no file",
        "p-since-1.9.tar": "a link or no file",
    }
    with pytest.raises(
        ContentMissing, match=r"2 files missing \(30 B in total\): p.tar.001 \(5 bytes .* 20\), p.tar.002 \(a li"
    ):
        full_bundle(opened)


def test_repair_is_named_while_it_can_succeed(folder: Path) -> None:
    (folder / "p.tar.001").unlink()
    for lost, repairable in ((None, True), ("p.tar.p001", False)):
        if lost:
            (folder / lost).unlink()
        with pytest.raises(ContentMissing) as caught:
            full_bundle(open_release(folder))
        assert ("airgap repair" in (caught.value.hint or "")) is repairable

# SPDX-License-Identifier: Apache-2.0
"""The order in which a bundle's folder fills: whole files only, and what makes it a layout at the very end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap.bundle.folder.files import is_bundle_folder
from airgap.durable import publish
from airgap.errors import OutputError
from airgap.oci import digest as digests
from tests.bundle.bundles import check, extras, usual


def test_whole_files_appear_and_the_index_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, appeared = tmp_path / "b", []

    def watched(fd: int, temporary: Path, path: Path) -> None:
        assert not path.exists()
        publish(fd, temporary, path)
        name = path.relative_to(folder).as_posix()
        appeared.append(name)
        if name.startswith("blobs/"):
            assert digests.encoded(digests.of(path.read_bytes())) == path.name
        else:
            assert list(tmp_path.glob("b.sha256*")) == [] or name in ("airgap/bundle.json", "index.json")

    monkeypatch.setattr("airgap.bundle.folder.draft.publish", watched)
    usual().write(folder, extras(), folder=True)
    assert appeared[-2:] == ["airgap/bundle.json", "index.json"]
    assert len(appeared) == len(set(appeared))
    assert set(appeared) == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "b.sha256", "b.sha256.csv"]
    assert is_bundle_folder(folder)
    check(folder)


def test_a_folder_that_was_not_finished_is_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def failing(fd: int, temporary: Path, path: Path) -> None:
        if path.name == "bundle.json":
            raise OSError(28, os.strerror(28))
        publish(fd, temporary, path)

    monkeypatch.setattr("airgap.bundle.folder.draft.publish", failing)
    with pytest.raises(OutputError, match="the disk is full"):
        usual().write(tmp_path / "b", folder=True)
    # Nothing was worth keeping, so nothing of it stays.
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "b.partial").exists()


def test_too_little_space_is_said_before_anything_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "b"
    usual().write(folder, folder=True)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((*real[:3], 0, 0, *real[5:]))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    with pytest.raises(OutputError, match="this disk has"):
        usual(2).write(folder, extras(), folder=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before

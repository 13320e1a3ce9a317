# SPDX-License-Identifier: Apache-2.0
"""Volumes: their sizes, and what happens to open files when one is refused."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from airgap.bundle.media.volume_names import parse_volume_size, sibling_volumes, volumes_called
from airgap.bundle.media.volumes import VolumesMedium, find_volumes
from airgap.errors import BundleError


def test_a_volume_for_fat32_is_its_largest_file() -> None:
    assert parse_volume_size("fat32") == parse_volume_size(" FAT32 ") == 0xFFFF_FFFF


def test_volumes_are_numbered_from_one(tmp_path: Path) -> None:
    """A file with the number 0, or with digits of another script, is another file."""
    paths = [tmp_path / f"b.tar.{number:03}" for number in (1, 2)]
    other = [tmp_path / "b.tar.000", tmp_path / "b.tar.\u0661\u0661\u0661"]
    for path in (*paths[1:], *other):
        path.write_bytes(b"x")
    for path in paths:
        assert sibling_volumes(path) == paths
    assert volumes_called(tmp_path / "b.tar") == paths
    paths[1].unlink()
    assert [sibling_volumes(path) for path in other] == [None, None]
    assert volumes_called(tmp_path / "b.tar") is None


def test_refused_volumes_are_closed(tmp_path: Path) -> None:
    paths = [tmp_path / f"b.tar.{number:03}" for number in (1, 2, 3)]
    for path, size in zip(paths, (1000, 999, 10), strict=True):
        path.write_bytes(bytes(size))
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BundleError, match="this volume has 999 bytes and should have 1,000"):
        VolumesMedium.open(paths)
    assert len(os.listdir("/proc/self/fd")) == open_files


def test_a_volume_that_is_a_link_is_read_if_it_was_named(tmp_path: Path) -> None:
    """One that was only found might be a stranger's link to a file of this machine."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"secret".ljust(1000))
    first, second = (tmp_path / f"b.tar.{number:03}" for number in (1, 2))
    first.write_bytes(bytes(1000))
    second.symlink_to(elsewhere)
    open_files = len(os.listdir("/proc/self/fd"))
    for paths in ([first], [tmp_path / "b.tar"]):
        with pytest.raises(BundleError, match="this volume is a link") as caught:
            find_volumes(paths)
        assert caught.value.where == str(second)
    medium = VolumesMedium.open([first], lambda path: path, named=[first])
    medium.expect_size(2000)
    with pytest.raises(BundleError, match="this volume is a link"):
        medium.pread(10, 1000)
    medium.close()
    assert len(os.listdir("/proc/self/fd")) == open_files
    found = find_volumes([first, second])
    assert found is not None
    assert found.pread(6, 1000) == b"secret"
    found.close()


def test_the_names_of_missing_volumes_follow_the_first(tmp_path: Path) -> None:
    """Of three volumes two are there: the name of the third is made from theirs."""
    for number in (1, 2):
        (tmp_path / f"b.tar.{number:03}").write_bytes(bytes(1000))
    asked: list[str] = []

    def ask(path: Path, problem: str | None = None) -> Path | None:
        asked.append(path.name)
        return None

    medium = VolumesMedium.open([tmp_path / "b.tar.001"], ask)
    medium.expect_size(2500)
    with pytest.raises(BundleError):
        medium.pread(10, 2000)
    medium.close()
    assert asked[-1] == "b.tar.003"


def test_the_name_of_a_second_volume_follows_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "b.tar.001").write_bytes(bytes(1000))
    medium = VolumesMedium.open([tmp_path / "b.tar.001"])
    with pytest.raises(BundleError, match=r"b\.tar\.002"):
        medium.expect_size(1500)
    medium.close()


def test_all_volumes_together_have_their_size(tmp_path: Path) -> None:
    for number, size in ((1, 1000), (2, 300)):
        (tmp_path / f"b.tar.{number:03}").write_bytes(bytes(size))
    medium = VolumesMedium.open([tmp_path / "b.tar.001", tmp_path / "b.tar.002"])
    assert (medium.size, medium.ordered) == (1300, False)
    medium.close()


def test_volumes_that_are_still_to_come_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.tar.001").write_bytes(bytes(1000))
    medium = VolumesMedium.open([tmp_path / "b.tar.001"], lambda path: None)
    assert not medium.ordered
    medium.expect_size(1500)
    assert (medium.size, medium.ordered) == (None, True)
    medium.close()


def test_a_volume_is_not_closed_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for a missing volume closes the others, and must wait for a read in another thread."""
    (tmp_path / "b.tar.001").write_bytes(bytes(1000))
    reading, asked, overlapped = threading.Event(), threading.Event(), []

    def ask(path: Path) -> Path | None:
        asked.set()
        return None

    medium = VolumesMedium.open([tmp_path / "b.tar.001"], ask)
    medium.expect_size(1500)
    pread = os.pread

    def slow_pread(fd: int, count: int, offset: int) -> bytes:
        reading.set()
        overlapped.append(asked.wait(0.3))  # never set while the lock is held
        return pread(fd, count, offset)

    def read_missing() -> None:
        reading.wait(10)
        with pytest.raises(BundleError):
            medium.pread(10, 1200)

    thread = threading.Thread(target=read_missing)
    thread.start()
    monkeypatch.setattr(os, "pread", slow_pread)
    assert medium.pread(10, 0) == bytes(10)
    monkeypatch.undo()
    thread.join(10)
    assert overlapped == [False]
    assert asked.is_set()
    medium.close()

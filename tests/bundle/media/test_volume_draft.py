# SPDX-License-Identifier: Apache-2.0
"""Volumes that are written one at a time: each must have the checksum that was written with the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap.bundle.media.volume_draft import VolumeDraft
from airgap.errors import DigestMismatch, OutputError

SIZE = 1000


def write_volumes(folder: Path, content: bytes, *, only: int | None = None) -> None:
    paths = [folder / f"b.tar.{number:03}" for number in (1, 2)]
    draft = VolumeDraft.open(folder / "b.tar", paths, len(content), SIZE, only=only)
    try:
        draft.write(memoryview(content), 0)
        draft.finish()
    finally:
        draft.discard()


def test_one_volume_is_written_again(tmp_path: Path) -> None:
    content = b"a" * SIZE + b"b" * SIZE
    write_volumes(tmp_path, content)
    (tmp_path / "b.tar.002").unlink()
    write_volumes(tmp_path, content, only=1)
    assert (tmp_path / "b.tar.002").read_bytes() == b"b" * SIZE


def test_a_volume_with_another_checksum_gets_no_final_name(tmp_path: Path) -> None:
    write_volumes(tmp_path, b"a" * SIZE + b"b" * SIZE)
    (tmp_path / "b.tar.002").unlink()
    with pytest.raises(DigestMismatch, match=r"b\.tar\.002 hashes to [0-9a-f]{64}, and b\.tar\.sha256 says"):
        write_volumes(tmp_path, b"a" * SIZE + b"c" * SIZE, only=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.001", "b.tar.sha256"]


@pytest.mark.parametrize(("resume", "kept"), [(False, ["b.tar.002"]), (True, ["b.tar.001.partial", "b.tar.002"])])
def test_volumes_that_cannot_all_be_opened(tmp_path: Path, resume: bool, kept: list[str]) -> None:
    paths = [tmp_path / f"b.tar.{number:03}" for number in (1, 2)]
    paths[1].mkdir()
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OutputError, match="this is a folder"):
        VolumeDraft.open(tmp_path / "b.tar", paths, 2 * SIZE, SIZE, resume=resume)
    assert sorted(path.name for path in tmp_path.iterdir()) == kept
    assert len(os.listdir("/proc/self/fd")) == open_files


def test_only_the_chosen_volume_is_made(tmp_path: Path) -> None:
    write_volumes(tmp_path, b"a" * SIZE + b"b" * SIZE, only=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.001"]


def test_reading_ends_at_a_volume_that_is_not_written(tmp_path: Path) -> None:
    """What follows it must not be taken for its bytes."""
    paths = [tmp_path / f"b.tar.{number:03}" for number in (1, 2)]
    draft = VolumeDraft.open(tmp_path / "b.tar", paths, 2 * SIZE, SIZE, only=1)
    draft.write(memoryview(b"a" * SIZE + b"b" * SIZE), 0)
    assert draft.read(SIZE, SIZE) == b"b" * SIZE
    assert draft.read(20, SIZE - 10) == b""
    draft.discard()

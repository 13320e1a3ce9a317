# SPDX-License-Identifier: Apache-2.0
"""A tar in one file: which files are reopened, and which are closed again."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

import pytest

from airgap.bundle.media import FileDraft, open_medium
from airgap.bundle.media.frame_table import SEEKABLE
from airgap.bundle.media.zstd import MAGIC
from airgap.errors import BundleError

SIZE = 4096


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1])
def test_a_finished_file_of_another_size_keeps_its_name(tmp_path: Path, size: int) -> None:
    (tmp_path / "b.tar").write_bytes(bytes(size))
    assert FileDraft.resume(tmp_path / "b.tar", SIZE) is None
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]
    assert (tmp_path / "b.tar").stat().st_size == size


def test_a_finished_file_of_the_same_size_is_continued(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(bytes(SIZE))
    draft = FileDraft.resume(tmp_path / "b.tar", SIZE)
    assert draft is not None
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.partial"]
    draft.keep()


def test_a_partial_file_that_is_too_large_is_closed_and_kept(tmp_path: Path) -> None:
    (tmp_path / "b.tar.partial").write_bytes(bytes(SIZE + 1))
    open_files = len(os.listdir("/proc/self/fd"))
    assert FileDraft.resume(tmp_path / "b.tar", SIZE) is None
    assert len(os.listdir("/proc/self/fd")) == open_files
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.partial"]


def test_a_compressed_file_that_is_refused_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.zst"
    path.write_bytes(MAGIC + bytes(100) + struct.pack("<IBI", 1000, 0, SEEKABLE))
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BundleError, match="its seek table is longer than the file"):
        open_medium([path])
    assert len(os.listdir("/proc/self/fd")) == open_files


def test_a_libc_without_fallocate_reserves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As musl's before 1.2.4 on some platforms: the file is made by ftruncate and written in order."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *arguments, **options: object())
    draft = FileDraft.begin(tmp_path / "b.tar", SIZE)
    assert draft.ordered
    draft.discard()

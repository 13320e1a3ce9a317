# SPDX-License-Identifier: Apache-2.0
"""The check of the place of an output file says what is wrong there, before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap.durable.output import check_place, folder_for, is_free
from airgap.errors import OutputError


def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    with pytest.raises(OutputError, match="no file can be here: File name too long") as caught:
        check_place(path, force=True)
    assert caught.value.where == str(path)[:200]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="a folder is already there") as caught:
        check_place(tmp_path, force=True, option="--report")
    assert caught.value.hint == "--report names a file"


def test_a_free_name_is_accepted(tmp_path: Path) -> None:
    check_place(tmp_path / "b.tar", force=False)


def test_a_place_that_cannot_be_looked_at_is_not_free(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert not is_free(loop)
    assert not is_free(tmp_path / ("x" * 300))
    assert is_free(tmp_path / "missing")


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling"):
        with pytest.raises(OutputError, match="a link is already there"):
            check_place(tmp_path / name, force=True)
    with pytest.raises(OutputError, match="something that is no file is already there"):
        check_place(tmp_path / "pipe", force=True)
    with pytest.raises(OutputError, match="a file is already there") as caught:
        check_place(tmp_path / "file", force=False)
    assert caught.value.hint == "--force replaces it"
    check_place(tmp_path / "file", force=True)


def test_the_folder_of_a_place_must_be_there_and_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="its folder does not exist") as caught:
        check_place(tmp_path / "missing" / "b.tar", force=False)
    assert caught.value.hint == f"mkdir -p {tmp_path / 'missing'}"
    for mode in (os.W_OK, os.X_OK):
        with monkeypatch.context() as patch:
            patch.setattr(os, "access", lambda path, wanted, mode=mode: not wanted & mode)
            with pytest.raises(OutputError, match="its folder cannot be written"):
                check_place(tmp_path / "b.tar", force=False)


def test_a_folder_that_cannot_be_made_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(OutputError, match=r"file/out: cannot make this folder: Not a directory"),
        folder_for(tmp_path / "file" / "out"),
    ):
        pytest.fail("the work began")

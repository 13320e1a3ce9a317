# SPDX-License-Identifier: Apache-2.0
"""The check of the place of an output file says what is wrong there, before any work is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.durable.output import check_place, is_free
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

# SPDX-License-Identifier: Apache-2.0
"""The file of checksums beside volumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.bundle.media.checksums import format_checksums, read_checksums

SUMS = [("b.tar.001", "0" * 64), ("b.tar.002", "a" * 64)]


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.sha256"
    path.write_bytes(format_checksums(SUMS))
    assert list(read_checksums(path).items()) == SUMS


def test_a_missing_file_lists_nothing(tmp_path: Path) -> None:
    assert read_checksums(tmp_path / "b.tar.sha256") == {}


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe" * 40, format_checksums(SUMS) + b"\xff\n", format_checksums(SUMS) + b"a line of text\n"],
    ids=["no text", "no text at the end", "a line of text at the end"],
)
def test_a_file_in_another_format_lists_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.tar.sha256"
    path.write_bytes(content)
    assert read_checksums(path) == {}

# SPDX-License-Identifier: Apache-2.0
"""Unfinished bundles that are set aside for their blobs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.bundle.leftovers import Leftovers
from airgap.errors import ContentMissing
from tests.bundle.bundles import usual
from tests.parts.disk import Disk, recording
from tests.suites.store_suite import described, read_all


def test_what_is_set_aside_has_its_new_name_after_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.tar.partial").write_bytes(b"new")
    (tmp_path / "b.tar.partial.old").write_bytes(b"old")
    with recording(tmp_path, monkeypatch) as operations:
        Leftovers.set_aside(tmp_path / "b.tar")
    assert Disk(operations).after_a_power_cut() == {"b.tar.partial.old": b"old", "b.tar.partial.old.1": b"new"}


def test_blobs_are_read_from_any_offset(tmp_path: Path) -> None:
    content = usual()
    content.write(tmp_path / "b.tar.partial.old")
    leftovers = Leftovers.find(tmp_path / "b.tar")
    root = content.names["quay.io/a/x:v1"]
    assert read_all(leftovers.open(root)) == content.images.content[root.digest]
    assert read_all(leftovers.open(root, 7)) == content.images.content[root.digest][7:]
    leftovers.close()


def test_closing_keeps_the_files_and_leaves_none_open(tmp_path: Path) -> None:
    usual().write(tmp_path / "b.tar.partial.old")
    open_files = len(os.listdir("/proc/self/fd"))
    leftovers = Leftovers.find(tmp_path / "b.tar")
    assert len(os.listdir("/proc/self/fd")) > open_files
    leftovers.close()
    leftovers.close()
    assert len(os.listdir("/proc/self/fd")) == open_files
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.partial.old"]


def test_leftovers_resolve_no_names(tmp_path: Path) -> None:
    usual().write(tmp_path / "b.tar.partial.old")
    leftovers = Leftovers.find(tmp_path / "b.tar")
    with pytest.raises(ContentMissing, match=r"quay\.io/a/x:v1 is not resolved"):
        leftovers.resolve("quay.io/a/x:v1")
    leftovers.close()


def test_a_blob_whose_header_is_not_there_was_not_begun(tmp_path: Path) -> None:
    content = usual()
    path = tmp_path / "b.tar.partial.old"
    content.write(path)
    leftovers = Leftovers.find(tmp_path / "b.tar")
    with open_bundle(path) as reader:
        first, *_, last = reader.inventory.blobs
    os.truncate(path, path.stat().st_size - 1024 - (last.size + 511) // 512 * 512 - 512)
    with path.open("ab") as file:
        file.write(bytes((last.size + 511) // 512 * 512 + 512 + 1024))
    assert leftovers.holds_part_of(first)
    assert not leftovers.holds_part_of(last)
    assert not leftovers.holds_part_of(described(b"a blob of another bundle"))
    leftovers.close()

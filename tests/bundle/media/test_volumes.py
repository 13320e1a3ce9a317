# SPDX-License-Identifier: Apache-2.0
"""Volumes: their sizes, and what happens to open files when one is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap.bundle.media.volume_names import parse_volume_size
from airgap.bundle.media.volumes import VolumesMedium
from airgap.errors import BundleError


def test_a_volume_for_fat32_is_its_largest_file() -> None:
    assert parse_volume_size("fat32") == parse_volume_size(" FAT32 ") == 0xFFFF_FFFF


def test_refused_volumes_are_closed(tmp_path: Path) -> None:
    paths = [tmp_path / f"b.tar.{number:03}" for number in (1, 2, 3)]
    for path, size in zip(paths, (1000, 999, 10), strict=True):
        path.write_bytes(bytes(size))
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BundleError, match="this volume has 999 bytes and should have 1,000"):
        VolumesMedium.open(paths)
    assert len(os.listdir("/proc/self/fd")) == open_files

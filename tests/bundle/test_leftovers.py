# SPDX-License-Identifier: Apache-2.0
"""Unfinished bundles that are set aside for their blobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.bundle.leftovers import Leftovers
from tests.parts.disk import Disk, recording


def test_what_is_set_aside_has_its_new_name_after_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.tar.partial").write_bytes(b"new")
    (tmp_path / "b.tar.partial.old").write_bytes(b"old")
    with recording(tmp_path, monkeypatch) as operations:
        Leftovers.set_aside(tmp_path / "b.tar")
    assert Disk(operations).after_a_power_cut() == {"b.tar.partial.old": b"old", "b.tar.partial.old.1": b"new"}

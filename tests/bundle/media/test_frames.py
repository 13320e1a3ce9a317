# SPDX-License-Identifier: Apache-2.0
"""A ``.tar.zst`` whose frames hold less than the tar should have."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.bundle.media import open_medium
from airgap.bundle.media.frame_draft import FrameDraft
from airgap.errors import BundleError


def test_frames_that_hold_too_little_are_refused(tmp_path: Path) -> None:
    draft = FrameDraft.begin(tmp_path / "b.tar.zst", 3000, [0])
    draft.finish()
    medium = open_medium([tmp_path / "b.tar.zst"])
    medium.expect_size(3000)
    with pytest.raises(BundleError, match="cut short: it should hold 3,001 bytes and holds 3,000"):
        medium.expect_size(3001)
    medium.close()

# SPDX-License-Identifier: Apache-2.0
"""Bytes of a pipe that are read again: those at its start, and those of the current blob."""

from __future__ import annotations

import io

from airgap.bundle.media.stream import PipeMedium
from tests.suites.store_suite import read_all

CONTENT = bytes(range(200))


def test_a_range_may_begin_before_the_end_of_what_is_kept() -> None:
    medium = PipeMedium("pipe", io.BytesIO(CONTENT).readinto)
    medium.stop_keeping(50)
    for _ in range(2):
        assert medium.pread(30, 40) == CONTENT[40:50]
        assert medium.pread(20, 50) == CONTENT[50:70]
        assert read_all(medium.open_range(40, 30)) == CONTENT[40:70]
    medium.close()

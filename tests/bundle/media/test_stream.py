# SPDX-License-Identifier: Apache-2.0
"""Bytes of a pipe that are read again: those at its start, and those of the current blob."""

from __future__ import annotations

import io

import pytest

from airgap.bundle.media.stream import PipeMedium, decompress
from airgap.errors import BundleError
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


def test_closing_closes_what_is_behind() -> None:
    closed: list[bool] = []
    medium = PipeMedium("pipe", io.BytesIO(CONTENT).readinto, lambda: closed.append(True))
    medium.close()
    assert closed == [True]


def zstd_frame(content: bytes, window_log: int) -> bytes:
    """One frame with a raw block (RFC 8878, 3.1.1) that asks for a window of ``2 ** window_log`` bytes."""
    window_descriptor = bytes([(window_log - 10) << 3])
    block = ((len(content) << 3) | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x00" + window_descriptor + block + content


def test_a_stream_may_ask_for_128_mib_of_memory_and_no_more() -> None:
    buffer = memoryview(bytearray(len(CONTENT)))
    decompress(io.BytesIO(zstd_frame(CONTENT, 27)).readinto, "pipe")(buffer)
    assert bytes(buffer) == CONTENT
    with pytest.raises(BundleError, match="zstd cannot unpack it"):
        decompress(io.BytesIO(zstd_frame(CONTENT, 28)).readinto, "pipe")(buffer)

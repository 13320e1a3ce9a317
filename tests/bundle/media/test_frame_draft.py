# SPDX-License-Identifier: Apache-2.0
"""Frames of a ``.tar.zst`` that is being written: reading back what is there takes steps in proportion to it."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from airgap.bundle.media import frame_draft, frames
from airgap.bundle.media.frame_draft import FrameDraft

FRAME = 4096


@pytest.fixture(autouse=True)
def _small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "FRAME_SIZE", FRAME)
    monkeypatch.setattr(frame_draft, "FRAME_SIZE", FRAME)


def content(size: int) -> bytes:
    """Nothing that repeats, so that each frame is told from the others."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4))


def unfinished(path: Path, size: int, written: int) -> None:
    draft = FrameDraft.begin(path, size, [0])
    draft.write(memoryview(content(written)), 0)
    draft.keep()


def steps_of_reading_back(path: Path, count: int) -> int:
    """Calls of functions, Python's and C's, while an unfinished bundle of ``count`` frames is read to its end."""
    unfinished(path, (count + 1) * FRAME, count * FRAME)
    calls = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    draft = FrameDraft.resume(path, (count + 1) * FRAME, [0])
    assert draft is not None
    read = bytearray()
    sys.setprofile(note)
    try:
        while piece := draft.read(FRAME, len(read)):
            read += piece
    finally:
        sys.setprofile(None)
    draft.discard()
    assert read == content(count * FRAME)
    return calls


def test_reading_back_is_linear(tmp_path: Path) -> None:
    few, many = (steps_of_reading_back(tmp_path / f"{count}.tar.zst", count) for count in (50, 400))
    assert many < 8 * few * 1.2


def test_what_is_cut_away_and_written_again_reads_back_new(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.zst"
    draft = FrameDraft.begin(path, 4 * FRAME, [0, FRAME, 2 * FRAME])
    draft.write(memoryview(b"a" * 3 * FRAME), 0)
    assert draft.read(3 * FRAME, 0) == b"a" * 3 * FRAME
    assert draft.rewind(FRAME) == FRAME
    assert draft.read(3 * FRAME, 0) == b"a" * FRAME
    draft.write(memoryview(b"b" * 3 * FRAME), FRAME)
    assert draft.read(4 * FRAME, 0) == b"a" * FRAME + b"b" * 3 * FRAME
    draft.discard()


def test_a_damaged_frame_ends_what_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.zst"
    unfinished(path, 4 * FRAME, 3 * FRAME)
    partial = tmp_path / "b.tar.zst.partial"
    damaged = bytearray(partial.read_bytes())
    damaged[len(damaged) // 2 :] = bytes(len(damaged) - len(damaged) // 2)
    partial.write_bytes(damaged)
    draft = FrameDraft.resume(path, 4 * FRAME, [0])
    assert draft is not None
    assert draft.read(FRAME, 0) == content(3 * FRAME)[:FRAME]
    assert draft.read(FRAME, 2 * FRAME) == b""
    draft.discard()


def test_rewinding_into_an_unfinished_frame(tmp_path: Path) -> None:
    draft = FrameDraft.begin(tmp_path / "b.tar.zst", 2 * FRAME, [0])
    draft.write(memoryview(b"a" * 100), 0)
    assert draft.rewind(200) == 100
    assert draft.rewind(40) == 40
    draft.write(memoryview(b"b" * FRAME), 40)
    assert draft.read(FRAME, 0) == b"a" * 40 + b"b" * (FRAME - 40)
    draft.discard()


def test_discarding_deletes_and_closes_the_file(tmp_path: Path) -> None:
    open_files = len(os.listdir("/proc/self/fd"))
    draft = FrameDraft.begin(tmp_path / "b.tar.zst", 2 * FRAME, [0])
    draft.discard()
    draft.discard()
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == open_files


def test_a_resumed_file_has_the_same_bytes(tmp_path: Path) -> None:
    """The first frame of a blob decides whether the rest is compressed, also in the run that continues it."""
    noise, zeros = random.Random(1).randbytes(FRAME), bytes(FRAME)
    whole = noise + zeros + zeros + zeros
    starts = [0, 2 * FRAME]
    expected = b""
    for count in range(5):
        path = tmp_path / f"{count}.tar.zst"
        draft = FrameDraft.begin(path, len(whole), starts)
        draft.write(memoryview(whole)[: count * FRAME], 0)
        draft.keep()
        resumed = FrameDraft.resume(path, len(whole), starts)
        assert resumed is not None
        resumed.write(memoryview(whole), 0)
        resumed.finish()
        expected = expected or path.read_bytes()
        assert path.read_bytes() == expected, f"interrupted after {count} frames"
    # Two frames are stored, two are compressed.
    assert 2 * FRAME < len(expected) < 3 * FRAME


def test_keeping_twice_does_nothing(tmp_path: Path) -> None:
    draft = FrameDraft.begin(tmp_path / "b.tar.zst", 2 * FRAME, [0])
    draft.keep()
    draft.keep()
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.zst.partial"]


def test_discarding_where_standard_input_was_closed(tmp_path: Path) -> None:
    """The file then has the descriptor 0."""
    stdin = os.dup(0)
    try:
        os.close(0)
        draft = FrameDraft.begin(tmp_path / "b.tar.zst", 2 * FRAME, [0])
        draft.discard()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(0)
    finally:
        os.dup2(stdin, 0)
        os.close(stdin)


def test_finishing_leaves_no_file_open(tmp_path: Path) -> None:
    open_files = len(os.listdir("/proc/self/fd"))
    draft = FrameDraft.begin(tmp_path / "b.tar.zst", FRAME, [0])
    draft.write(memoryview(content(FRAME)), 0)
    draft.finish()
    assert len(os.listdir("/proc/self/fd")) == open_files


def test_a_blob_whose_first_frame_did_not_shrink_is_stored_as_it_is(tmp_path: Path) -> None:
    """Also by a run that goes on in the middle of it; the next blob is tried again."""
    size, noise = 6 * FRAME, random.Random(1).randbytes(3 * FRAME)
    whole = noise + bytes(3 * FRAME)
    path = tmp_path / "b.tar.zst"
    once = FrameDraft.begin(path, size, [0, 3 * FRAME])
    once.write(memoryview(whole), 0)
    once.finish()
    expected = path.read_bytes()
    assert 3 * FRAME < len(expected) < 3 * FRAME + 500
    for stop in range(FRAME, size, FRAME):
        path.unlink()
        begun = FrameDraft.begin(path, size, [0, 3 * FRAME])
        begun.write(memoryview(whole)[:stop], 0)
        begun.keep()
        resumed = FrameDraft.resume(path, size, [0, 3 * FRAME])
        assert resumed is not None
        end = resumed.rewind(stop)
        resumed.write(memoryview(whole)[end:], end)
        resumed.finish()
        assert path.read_bytes() == expected

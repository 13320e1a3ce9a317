# SPDX-License-Identifier: Apache-2.0
"""What killed processes leave in a layout folder, and what living ones are just writing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from airgap.oci import digest as digests
from airgap.store import ImageLayout, Reader
from airgap.store.leftovers import create_temporary, sweep_leftovers
from airgap.store.readers import BytesReader, bytes_opener
from tests.suites.store_suite import described


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    layout = ImageLayout.create(tmp_path / "layout")
    layout.push(described(b"content"), bytes_opener(b"content"))
    return layout


def hidden(layout: ImageLayout) -> list[str]:
    return sorted(path.name for path in layout.path.rglob(".*") if path.name != ".lock")


def test_leftovers_are_removed(layout: ImageLayout) -> None:
    folder = layout.path / "blobs/sha256"
    (folder / ".push-abcd_123").write_bytes(b"12345")
    (layout.path / ".airgap-abcd_123").write_bytes(b"123")
    (layout.path / ".airgap-upload-abcd_123").write_bytes(b"12")
    assert sweep_leftovers(layout.path) == 10
    assert hidden(layout) == []
    assert layout.exists(described(b"content"))


def test_other_files_stay(layout: ImageLayout, tmp_path: Path) -> None:
    folder = layout.path / "blobs/sha256"
    (folder / ".push-").write_bytes(b"x")
    (folder / "push-abcd_123").write_bytes(b"x")
    (folder / ".push-abcd_1234").write_bytes(b"x")
    (layout.path / "notes.txt").write_bytes(b"x")
    (tmp_path / "target").write_bytes(b"x")
    (folder / ".push-abcd_123").symlink_to(tmp_path / "target")
    os.mkfifo(folder / ".push-abcd_124")
    layout.untag("none")  # makes .lock
    before = sorted(layout.path.rglob("*"))
    assert sweep_leftovers(layout.path) == 0
    assert sorted(layout.path.rglob("*")) == before
    assert (tmp_path / "target").exists()


def test_what_is_being_written_stays(layout: ImageLayout) -> None:
    fd, path = create_temporary(layout.path / "blobs/sha256")
    assert sweep_leftovers(layout.path) == 0
    assert path.exists()
    os.close(fd)
    sweep_leftovers(layout.path)
    assert not path.exists()


def test_a_push_beside_sweeps_arrives(layout: ImageLayout) -> None:
    content = bytes(5_000_000)

    class Slow(BytesReader):
        def readinto(self, buffer: memoryview, /) -> int:
            sweep_leftovers(layout.path)
            return super().readinto(buffer[:500_000])

    def opener(offset: int) -> Reader:
        return Slow(content, offset)

    layout.push(described(content), opener)
    assert layout.exists(described(content))
    assert hidden(layout) == []


def test_pushes_and_sweeps_at_the_same_time(layout: ImageLayout) -> None:
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            sweep_leftovers(layout.path)

    sweeping = threading.Thread(target=sweep)
    sweeping.start()
    try:
        for number in range(100):
            content = str(number).encode()
            layout.push(described(content), bytes_opener(content))
            layout.tag(described(content), f"a/b:{number}")
    finally:
        stop.set()
        sweeping.join()
    assert len(layout.names()) == 100


def test_what_an_interrupted_collection_put_aside_comes_back(layout: ImageLayout) -> None:
    encoded = digests.encoded(described(b"content").digest)
    folder = layout.path / "blobs/sha256"
    (folder / encoded).rename(folder / f".gc-{encoded}")
    sweep_leftovers(layout.path)
    assert layout.exists(described(b"content"))

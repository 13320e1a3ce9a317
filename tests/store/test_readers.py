# SPDX-License-Identifier: Apache-2.0
"""The loops that move bytes: what they verify, and the words in which they refuse."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from airgap.errors import ContentError, DigestMismatch
from airgap.oci import Descriptor
from airgap.store import FileRange, MemoryStore, fetch
from airgap.store.readers import BUFFER_SIZE, BytesReader, bytes_opener, read_verified
from tests.suites.store_suite import LARGE, described, noise, read_all


def test_drain_hands_on_every_piece_with_its_place() -> None:
    content, taken = noise(LARGE), bytearray(LARGE)

    def take(piece: memoryview, offset: int) -> None:
        taken[offset : offset + len(piece)] = piece

    read_verified(described(content, "sha384"), BytesReader(content), take)
    assert taken == content


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (noise(LARGE)[:BUFFER_SIZE], ContentError, f"ends after {BUFFER_SIZE} of {LARGE} bytes"),
        (b"", ContentError, f"ends after 0 of {LARGE} bytes"),
        (noise(LARGE) + b"x", ContentError, f"longer than the {LARGE} bytes"),
        (noise(LARGE, 1), DigestMismatch, "content hashes to sha256:"),
    ],
    ids=["short", "nothing", "long", "other"],
)
def test_drain_says_what_is_wrong(given: bytes, error: type[ContentError], words: str) -> None:
    taken = 0

    def take(piece: memoryview, offset: int) -> None:
        nonlocal taken
        taken += len(piece)

    with pytest.raises(ContentError, match=re.escape(words)) as caught:
        read_verified(described(noise(LARGE)), BytesReader(given), take)
    assert type(caught.value) is error
    assert taken <= LARGE


@pytest.mark.parametrize(
    ("given", "error"),
    [(noise(100), None), (noise(100, 1), DigestMismatch), (noise(100)[:99], ContentError)],
    ids=["right", "other", "short"],
)
def test_fetch_verifies(given: bytes, error: type[ContentError] | None) -> None:
    class Giving(MemoryStore):
        def open(self, descriptor: Descriptor, offset: int = 0) -> BytesReader:
            return BytesReader(given, offset)

    wanted = described(noise(100))
    if error is None:
        assert fetch(Giving(), wanted, limit=100) == given
    else:
        with pytest.raises(error):
            fetch(Giving(), wanted, limit=100)


def test_an_opener_opens_again_at_any_offset() -> None:
    opener = bytes_opener(b"0123456789")
    assert [read_all(opener(offset), 3) for offset in (0, 4, 10, 0)] == [b"0123456789", b"456789", b"", b"0123456789"]


class TestFileRange:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "file"
        path.write_bytes(b"0123456789")
        return path

    def test_gives_its_bytes_and_no_more(self, file: Path) -> None:
        with file.open("rb") as opened:
            assert read_all(FileRange(opened.fileno(), 2, 5), 3) == b"23456"
            assert read_all(FileRange(opened.fileno(), 2, 5), 100) == b"23456"
            assert read_all(FileRange(opened.fileno(), 9, -3), 100) == b""

    def test_says_where_a_file_ends_too_early(self, file: Path) -> None:
        with file.open("rb") as opened, pytest.raises(ContentError, match=r"a\.tar: the file ends 2 bytes too early"):
            read_all(FileRange(opened.fileno(), 5, 7, where="a.tar"))

    def test_closes_what_it_owns_once(self, file: Path) -> None:
        kept, owned = (os.open(file, os.O_RDONLY) for _ in range(2))
        for reader in (FileRange(kept, 0, 1), FileRange(owned, 0, 1, owned=True)):
            reader.close()
            reader.close()
        assert os.read(kept, 1) == b"0"
        os.close(kept)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.read(owned, 1)

    def test_counts_what_others_take(self, file: Path) -> None:
        seen: list[int] = []
        with file.open("rb") as opened:
            reader = FileRange(opened.fileno(), 0, 10)
            reader.observe = seen.append
            reader.advance(4)
            assert read_all(reader, 3) == b"456789"
        assert seen == [4, 3, 3]

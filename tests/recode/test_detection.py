# SPDX-License-Identifier: Apache-2.0
"""Which codecs remain for the beginning of a gzip file."""

from __future__ import annotations

import gzip
import io

import pytest

from airgap.recode import CODECS, detect
from tests.recode.contents import encode, mixture, needs_library, noise

pytestmark = needs_library
CONTENT = mixture("detection", 600_000)


class Slow(io.BytesIO):
    """Gives a few bytes at a time, as a connection may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 1000))


def found(compressed: bytes, raw_prefix: bytes) -> tuple[str, ...]:
    return detect(io.BytesIO(compressed), raw_prefix, compressed[:10])


@pytest.mark.parametrize("codec", CODECS)
def test_the_writer_is_among_them_and_no_other_program_is(codec: str) -> None:
    compressed = encode(codec, CONTENT)
    for remaining in (found(compressed, CONTENT), found(compressed, CONTENT[:200_000])):
        assert codec in remaining
        assert {name.split("/")[0] for name in remaining} == {codec.split("/")[0]}
        # What remains are eras of one program, which differ in few places.
        assert {name.removesuffix("/fma").split("/")[-1] for name in remaining} == {
            codec.removesuffix("/fma").split("/")[-1]
        }


def test_eras_that_differ_in_the_first_block_are_told_apart() -> None:
    older = "pgzip/kp-1.15.10..1.18.0/5"
    assert found(encode(older, CONTENT), CONTENT) == (older, f"{older}/fma")
    assert older not in found(encode("pgzip/kp-1.18.2+/5", CONTENT), CONTENT)


def test_levels_are_told_apart() -> None:
    for level in (4, 5, 6, 7, 8, 9):
        assert found(encode(f"go1.8-1.26/{level}", CONTENT), CONTENT) == (f"go1.8-1.26/{level}",)


def test_a_small_file_is_compared_to_its_end() -> None:
    content = CONTENT[:3000]
    assert found(encode("go1.27/6", content), content)[0] == "go1.27/6"
    assert "go1.8-1.26/6" not in found(encode("go1.27/6", content), content)
    changed = bytearray(encode("go1.8-1.26/6", content))
    changed[-9] ^= 1
    assert found(bytes(changed), content) == ()


def test_no_more_is_read_than_the_content_reaches() -> None:
    compressed = encode("go1.8-1.26/6", noise("far", 3_000_000))
    readable = io.BytesIO(compressed)
    assert detect(readable, noise("far", 3_000_000)[: 1 << 20], compressed[:10])
    assert readable.tell() < (1 << 20) + 8192


def test_what_is_read_may_come_in_pieces() -> None:
    compressed = encode("go1.8-1.26/1", CONTENT)
    assert detect(Slow(compressed), CONTENT, compressed[:10]) == ("go1.8-1.26/1",)


def test_the_header_is_the_callers() -> None:
    """A time that the writer was given does not matter."""
    compressed = bytearray(encode("go1.8-1.26/6", CONTENT))
    compressed[4:8] = b"\1\2\3\4"
    assert found(bytes(compressed), CONTENT) == ("go1.8-1.26/6",)


def test_other_writers_are_not_taken_for_one() -> None:
    written = bytearray(gzip.compress(CONTENT, mtime=0))
    written[8:10] = b"\0\xff"
    assert found(bytes(written), CONTENT) == ()
    assert found(encode("go1.8-1.26/6", CONTENT), bytes(reversed(CONTENT))) == ()
    assert detect(io.BytesIO(b""), CONTENT, b"") == ()


@pytest.mark.parametrize("cut", [0, 5, 10, 11, 5000])
def test_a_file_that_is_cut_off_ends_in_no_error(cut: int) -> None:
    compressed = encode("go1.8-1.26/6", CONTENT)
    remaining = detect(io.BytesIO(compressed[:cut]), CONTENT, compressed[:10])
    assert "go1.8-1.26/6" in remaining

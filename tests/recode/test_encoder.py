# SPDX-License-Identifier: Apache-2.0
"""What an encoder gives: a gzip file of its content, the same however the content comes."""

from __future__ import annotations

import gzip
import mmap
import random
import threading
import zlib
from pathlib import Path

import pytest

from airgap.recode import CODECS, Encoder, UnknownCodec, candidates
from tests.recode.contents import encode, mixture, needs_library, noise

pytestmark = needs_library
CONTENT = mixture("encoder", (1 << 20) + 70_000)
SIZES = (0, 1, 3, 4, 16, 17, 32, 33, 127, 128, 65_534, 65_535, 65_536)


@pytest.mark.parametrize("codec", CODECS)
def test_what_comes_out_decompresses_to_what_went_in(codec: str) -> None:
    for size in (*SIZES, len(CONTENT)):
        assert gzip.decompress(encode(codec, CONTENT[:size])) == CONTENT[:size], size
    assert gzip.decompress(encode(codec, noise("stored", 70_000) + bytes(70_000))) == noise("stored", 70_000) + bytes(
        70_000
    )


@pytest.mark.parametrize("codec", CODECS)
def test_the_header_leads_to_the_codec(codec: str) -> None:
    assert codec in candidates(encode(codec, b"")[:10])


@pytest.mark.parametrize("codec", CODECS)
def test_the_sizes_of_writes_do_not_matter(codec: str) -> None:
    content, expected = CONTENT[:400_000], encode(codec, CONTENT[:400_000])
    choose = random.Random(codec)
    with Encoder(codec) as encoder:
        made, position = [], 0
        while position < len(content):
            size = choose.choice((0, 1, 7, 512, 10_240, 32_768, 65_535, 65_536, 200_000))
            made.append(encoder.update(memoryview(content)[position : position + size]))
            position += size
        made.append(encoder.finish())
    assert b"".join(made) == expected
    assert len(made[0]) >= 10  # the header comes at once


def test_output_follows_while_content_comes() -> None:
    for codec in CODECS:
        with Encoder(codec) as encoder:
            made = encoder.update(CONTENT[:400_000])
            assert encode(codec, CONTENT[:500_000]).startswith(made)
            assert len(made) > len(encode(codec, CONTENT[:200_000])), codec


def test_mapped_files_and_other_buffers_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "layer.tar"
    path.write_bytes(CONTENT)
    expected = encode("go1.8-1.26/6", CONTENT)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
        Encoder("go1.8-1.26/6") as encoder,
    ):
        assert encoder.update(view) + encoder.finish() == expected
    with Encoder("go1.8-1.26/6") as encoder:
        assert encoder.update(memoryview(bytearray(CONTENT))) + encoder.finish() == expected


def test_threads_do_not_disturb_each_other() -> None:
    content = CONTENT[:200_000]
    expected = {codec: encode(codec, content) for codec in CODECS}
    made: dict[str, bytes] = {}
    threads = [
        threading.Thread(target=lambda codec=codec: made.__setitem__(codec, encode(codec, content))) for codec in CODECS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == expected


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(UnknownCodec, match=r"pgzip/kp-2\.0/5") as caught:
        Encoder("pgzip/kp-2.0/5")
    assert caught.value.exit_code == 41


def test_what_is_over_takes_no_more() -> None:
    encoder = Encoder("go1.8-1.26/6")
    encoder.finish()
    with pytest.raises(Exception, match="failed with code 2"):
        encoder.update(b"more")
    encoder.close()
    encoder.close()
    for use in (encoder.finish, lambda: encoder.update(b"more"), lambda: encoder.update(b"")):
        with pytest.raises(RuntimeError, match="closed"):
            use()


@pytest.mark.long
@pytest.mark.parametrize("codec", ["go1.8-1.26/6", "pgzip/kp-1.18.2+/5"])
def test_streams_of_more_than_four_gigabytes(codec: str) -> None:
    """Positions, lengths and the checksum go on behind 2 and 4 GiB: zlib checks both at the end of the stream."""
    piece = mixture("large", 1 << 20) + bytes(63 << 20)
    inflate, size = zlib.decompressobj(wbits=31), 0
    with Encoder(codec) as encoder:
        for _ in range(67):
            size += len(inflate.decompress(encoder.update(piece)))
        size += len(inflate.decompress(encoder.finish()))
    assert size == 67 << 26 > 1 << 32
    assert inflate.eof
    assert inflate.unused_data == b""

# SPDX-License-Identifier: Apache-2.0
"""The proof that a codec gives its bytes on this machine: contents that are made here, and the digest of what the codec
makes of them.

The contents are few and small, but between them they reach every part of an encoder: all kinds of blocks, matches over
the ends of blocks, windows and pieces, codes that are used again, and for ``/fma`` a decision that hangs on a rounding.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Callable

from airgap.i18n import tr
from airgap.recode.codecs import UnknownCodec
from airgap.recode.encoder import Encoder
from airgap.recode.library import CodecFailure

_SUB_BLOCK = 65535
_PIECE = 1 << 20
_LETTERS = b"etaoinshrdlucmfwypvbgkqjxz"


def _noise(seed: str, size: int) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(size)


def _text(seed: str, size: int, words: int = 256) -> bytes:
    """Words of a small vocabulary, the first ones the most frequent."""
    letters = bytes(_LETTERS[byte * byte * len(_LETTERS) >> 16] for byte in _noise(f"{seed}/letters", 8 * words))
    vocabulary = [letters[8 * i : 8 * i + 1 + letters[8 * i] % 7] + b" " for i in range(words)]
    chosen = [vocabulary[byte * byte * words >> 16] for byte in range(256)]
    return b"".join(map(chosen.__getitem__, _noise(f"{seed}/words", size)))[:size]


def _records(seed: str, count: int) -> bytes:
    """Records of 16 bytes with a counter, as tables in programs have them."""
    return b"".join(struct.pack("<HBBIQ", b & 7, b >> 3, i & 255, 0x8948, i) for i, b in enumerate(_noise(seed, count)))


def _layer() -> bytes:
    """Changing statistics, and repetitions near the largest distances."""
    text = _text("layer", 150_000)
    few = _noise("few", 70_000).translate(bytes(byte & 3 for byte in range(256)))
    skewed = _noise("skewed", 140_000).translate(bytes(byte * byte >> 9 for byte in range(256)))
    parts = [text, _noise("noise", 70_000), bytes(70_000), text[:33_000], text[:32_500], text[:32_766], few]
    parts += [skewed, _records("records", 9_000), text[9:90_000].upper(), skewed[:66_000], text]
    return b"".join(parts)


def _seams() -> bytes:
    """The same text again across the ends of sub-blocks and of a piece."""
    made = bytearray(_text("seams", _PIECE + 100_000, 220))
    for end in (*range(_SUB_BLOCK, len(made), _SUB_BLOCK), _PIECE, _PIECE + 16):
        for start, distance, length in ((end - 300, 9_000, 290), (end - 7, 700, 600), (end + 40, 16_300, 261)):
            if start + length < len(made):
                made[start : start + length] = made[start - distance : start - distance + length]
    return bytes(made)


_CONTENTS: tuple[Callable[[], bytes], ...] = (
    lambda: b"",
    lambda: b"\0" * 3,
    lambda: _text("short", 31),
    lambda: _text("few", 120),
    lambda: _noise("noise", 100),
    lambda: _text("hundreds", 700),
    lambda: _text("whole", _SUB_BLOCK),
    _layer,
    _seams,
)


def shifted(seed: int, changed: int, tail: int, gap: int) -> bytes:
    """Two sub-blocks of skewed noise with a repetition every ``gap`` bytes, and a tail. The second begins with
    ``changed`` bytes that are skewed in another way.

    The more bytes are changed, the less the codes of the first suit the second: somewhere new ones become better.
    """
    base = _noise(f"{seed}/shifted", 2 * _SUB_BLOCK + tail)
    end = _SUB_BLOCK + changed
    made = bytearray(base[:_SUB_BLOCK].translate(_SKEWED))
    made += base[_SUB_BLOCK:end].translate(_SKEWED_AGAIN) + base[end:].translate(_SKEWED)
    for i, byte in enumerate(_noise(f"{seed}/repetitions", 2 * _SUB_BLOCK // gap)):
        start, length = gap * i + 60, 6 + byte % 13
        distance = min(start, (2 + byte % 2 << i % 14) + i % 2)
        made[start : start + length] = made[start - distance : start - distance + length]
    return bytes(made)


_SKEWED = bytes(byte * byte * byte >> 17 for byte in range(256))
_RANKS = sorted(set(_SKEWED))
_SKEWED_AGAIN = bytes(_RANKS[-1 - _RANKS.index(byte)] for byte in _SKEWED)
#: Arguments with which that hangs on less than two bits: the rounding of an estimate, or whether the end of a block is
#: counted.
_CLOSE = ((245, 5700, 0, 90), (19, 5467, 0, 90), (23, 5837, 0, 90), (7, 5622, 200, 90))
#: SHA-256 of the gzip files of all contents, one after the other.
_DIGESTS: dict[str, str] = {
    "go1.8-1.26/6": "32291345feed92919887767fd345f7bc66076f91476da0d7f98c6297e83cc942",
    "go1.27/6": "61c4a9930b5f40083516eafd9c1a05d389cbe113b7225bb6de2c5f3913b312fd",
    "go1.27/6/fma": "ea3fd8f190a81fe66cc1d07621f05dc75e814763610171937e40e8a3deb81c40",
    "go1.8-1.26/1": "3d9c5aecfd98d9d6b0f24c816932aa76b37e05893406403f45ee4a13b2fdef47",
    "go1.27/1": "b9bb3688cba050a28dc2f90df168e84861ea99187473d7cff46b19a267a04f6e",
    "go1.27/1/fma": "b9bb3688cba050a28dc2f90df168e84861ea99187473d7cff46b19a267a04f6e",
    "pgzip/kp-1.18.2+/5": "70017e1d0f645f22a453e341acab66fb18e015a4d17d626bedf84e4ca93da257",
    "pgzip/kp-1.15.10..1.18.0/5": "8c3e683c213146badb851b9bc0196f1e5271b8f29b52d517d24633739bca7be8",
    "pgzip/kp-1.18.1/5": "11ac57c16d3e1c363646ee40dc0d2ac85f6c0026b7137dd1a463e567a7cdffe4",
    "pgzip/kp-1.18.2+/5/fma": "e14a66a1d96ec4b0819a761b6ba8a43a8362a15772ec90c7acf2e9d88a31e317",
    "pgzip/kp-1.15.10..1.18.0/5/fma": "ae0b61197da57fad424c2fb44f7cf92349106dfa45ff999febd5b8abcdf6892d",
    "pgzip/kp-1.18.1/5/fma": "ce21b3f19fd2da10d3060a5ef67c7e6e71d44f2ee13dace2c974e7b8b4ea77ac",
    "go1.8-1.26/5": "3ea53736347f7c842ee64bb6ff7425281f3b0e124931d873b760c20fecf36c42",
    "go1.8-1.26/7": "13d402612f1122c59459c91d1e9977a03bb8cc77f383d418a03b1f98e7883e6c",
    "go1.8-1.26/4": "1aeb03427fc15a0e84954b9c4969cc4c2131e79c9d43db373ec968ea40984644",
    "go1.8-1.26/8": "4ad97b7f0987376f4c785550d7910f142ee49519a85a3523f02ca303fe13dbe6",
    "go1.8-1.26/9": "2fc1c1414b763882f4af1ce9878364f8390474de95977010d9c2ae1aec1eb29d",
}


def self_test(codec: str) -> None:
    """Make the codec's gzip files of the contents of this module, and compare their digest with the one that they have.

    Takes less than a second. Raises :class:`CodecFailure` if another comes out, or the library cannot be used, and
    :class:`UnknownCodec`.
    """
    if codec not in _DIGESTS:
        raise UnknownCodec(codec)
    if digest(codec) != _DIGESTS[codec]:
        raise CodecFailure(
            tr("the encoder {codec} does not give the bytes that it should on this machine", codec=codec),
            hint=tr("install airgap again, or use another machine"),
        )


def digest(codec: str) -> str:
    """The SHA-256 of what ``codec`` makes of the contents."""
    made = hashlib.sha256()
    for content in _contents():
        with Encoder(codec) as encoder:
            made.update(encoder.update(content))
            made.update(encoder.finish())
    return made.hexdigest()


@functools.cache
def _contents() -> tuple[bytes, ...]:
    """2.9 MB in all, which take longer to make than to encode."""
    return tuple(make() for make in _CONTENTS) + tuple(shifted(*close) for close in _CLOSE)

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
_CLOSE = ((245, 5700, 0, 90), (19, 5467, 0, 90), (23, 5837, 0, 90), (7, 5622, 200, 90), (450, 4503, 0, 45))
#: SHA-256 of the gzip files of all contents, one after the other.
_DIGESTS: dict[str, str] = {
    "go1.8-1.26/6": "e460a3783abf3fc0b85f26b98fcde939a516c9a90482e44269be223bef89387a",
    "go1.27/6": "a86e63e57015184cc47aeafefae0f40baae7036247083b07fdc1f4dbad9fd39e",
    "go1.27/6/fma": "286b160430d549b45756171ab1ed17e88c70b4536cdfb6b0881eb5fad31e2501",
    "go1.8-1.26/1": "9a0e1d72dd7f1161e667c5fbca26f6fe0d70b99e5bc0946a9bf189347514c018",
    "go1.27/1": "ee12628c56b0e490d647f7e44e33225a0b501ff4c93f49c0a4b508a8b98223ed",
    "go1.27/1/fma": "54ea0b2fcbe21e136f5f3e7e47b7675dd5e8dac633c475228d8b0a50d0dda6d3",
    "pgzip/kp-1.18.2+/5": "8e5f65712a067d4ef7014a0fa9adb8d3ad3f1dd8e6571802f2f793379a1e6645",
    "pgzip/kp-1.15.10..1.18.0/5": "c0dbc8a2e17586274e290296d6431986f6f4ddd1f551aa03dfecd22d77af6688",
    "pgzip/kp-1.18.1/5": "702bb32d54d8ed2cb0798e53f5dd471f12d969e8c834a9cd868d767ef902f4e2",
    "pgzip/kp-1.18.2+/5/fma": "8f0f9c4864d503426741236b3613a1d07986f3704232c466e4f07c5451924b08",
    "pgzip/kp-1.15.10..1.18.0/5/fma": "fffcbd22a567896aa7a438941a24e10d19f04a5763bc16b9aac0e19441fff597",
    "pgzip/kp-1.18.1/5/fma": "5c1adb129d7318ed5fd291087d855c0fd79ced47486f78c3892fa4aecf146088",
    "go1.8-1.26/5": "89db71f129af288e80f91c92a39fc3fd8c46560bb4ddba9db4c3bfb7f60b029e",
    "go1.8-1.26/7": "9154f7e003975d820998658cc74eedcc41449e29cde82d2f40261ac838820453",
    "go1.8-1.26/4": "0a1f3164dfc61a9d103b1cd59eed06df982183d8569eacfcfeab582a52868c48",
    "go1.8-1.26/8": "9a83979545672f7004f838e6deeca889e435283f9aaee0da45ddb2f0c1a877bf",
    "go1.8-1.26/9": "4b8f0c8460729249ff9c35234b5eefda9c4cefa41506e98940325a0a20e791fc",
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

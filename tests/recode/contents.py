# SPDX-License-Identifier: Apache-2.0
"""Contents for encoders, the same at every run, and encoders that are made once for all of them."""

from __future__ import annotations

import hashlib
import random

import pytest

from airgap.recode import Encoder, library_available, why_unavailable

#: For tests that need the compiled encoders.
needs_library = pytest.mark.skipif(not library_available(), reason=why_unavailable() or "available")


def noise(seed: str, size: int) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(size)


def mixture(seed: str, size: int) -> bytes:
    """Literals, runs, and copies from near and far, with noise and sparse stretches between them."""
    choose = random.Random(seed)
    made = bytearray(b"layer ")
    while len(made) < size:
        kind = choose.randrange(8)
        length = choose.choice((1, 5, 40, 300, 3000, 20_000))
        if kind < 4:
            distance = min(len(made), choose.choice((1, 7, 300, 4096, 4097, 16_384, 32_506, 32_767, 32_768, 60_000)))
            copied = bytes(made[-distance:][:length])
            made += (copied * (length // len(copied) + 1))[:length]
        elif kind == 4:
            made += noise(f"{seed} {len(made)}", length)
        elif kind == 5:
            made += bytes([choose.randrange(256)]) * length
        else:
            alphabet = bytes(choose.randrange(256) for _ in range(choose.choice((2, 12, 60, 200))))
            made += bytes(choose.choices(alphabet, range(1, len(alphabet) + 1), k=length))
    return bytes(made[:size])


def encode(codec: str, content: bytes) -> bytes:
    with Encoder(codec) as encoder:
        return encoder.update(content) + encoder.finish()

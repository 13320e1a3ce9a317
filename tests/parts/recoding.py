# SPDX-License-Identifier: Apache-2.0
"""Layers as the programs write them whose gzip is made again, and changes from one release to the next."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from airgap import recode
from airgap.oci import digest as digests
from tests.parts.images import OCI_LAYER, Images, Layer, tar_of

GO, PGZIP = "go1.8-1.26/6", "pgzip/kp-1.18.2+/5"

#: For tests that make or restore recoded layers.
needs_encoders = pytest.mark.skipif(not recode.library_available(), reason=recode.why_unavailable() or "never")


def gzip_by(codec: str, plain: bytes) -> bytes:
    """What the program of ``codec`` writes for a tar."""
    with recode.Encoder(codec) as encoder:
        return encoder.update(plain) + encoder.finish()


def layer_by(images: Images, files: Mapping[str, bytes], codec: str = GO) -> Layer:
    """A layer with ``files``, written by the program of ``codec``."""
    plain = tar_of(dict(files))
    return Layer(images.blob(gzip_by(codec, plain), OCI_LAYER), digests.of(plain))


def content(seed: int, size: int = 120_000) -> bytes:
    """Bytes of which gzip makes about half, and zstd not much less."""
    chosen = random.Random(seed)
    words = [chosen.randbytes(5).hex().encode() for _ in range(2000)]
    return b" ".join(chosen.choice(words) for _ in range(size // 11))


def changed(before: bytes, seed: int) -> bytes:
    """The content one release later: some bytes more, near its beginning."""
    return before[:1000] + random.Random(seed).randbytes(40) + before[1000:]

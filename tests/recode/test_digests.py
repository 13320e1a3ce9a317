# SPDX-License-Identifier: Apache-2.0
"""What each codec makes of some hundred contents, as one digest, so that no change to an encoder goes unnoticed.

The digests are those of encoders that gave all vectors of real encoders (``test_vectors.py``). They never change, since
bundles name codecs.
"""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Iterator

import pytest

from airgap.recode import CODECS
from tests.recode.contents import encode, mixture, needs_library, noise

pytestmark = needs_library
DIGESTS: dict[str, str] = {
    "go1.8-1.26/6": "3578175a1c81d571d59828f638a69a24ff101672cb96dd53973fdb3b09e50b5f",
    "go1.27/6": "3f58a9d92f58d41705e2c6e0c3487ac4cfad15e4781379561fcc5e6cff53b19e",
    "go1.27/6/fma": "3f58a9d92f58d41705e2c6e0c3487ac4cfad15e4781379561fcc5e6cff53b19e",
    "go1.8-1.26/1": "36ce9d08c36bd0fa3ba2796e705851244c7b69f515ede65a51b3d97fc6f750ee",
    "go1.27/1": "7335db53d30a0e19e9ff33083a82ee5169a1efbf88cce2c05977f06f24e46d58",
    "go1.27/1/fma": "7335db53d30a0e19e9ff33083a82ee5169a1efbf88cce2c05977f06f24e46d58",
    "pgzip/kp-1.18.2+/5": "5dbc47c8731cfdcede60b628d391b7fbf2aaa7a16fb271bc9eda3bed40e5bad8",
    "pgzip/kp-1.15.10..1.18.0/5": "1f4a08720301563b8a9cdb32056a85544e08b3288465c2370fa9b733cf45b3dc",
    "pgzip/kp-1.18.1/5": "5dbc47c8731cfdcede60b628d391b7fbf2aaa7a16fb271bc9eda3bed40e5bad8",
    "pgzip/kp-1.18.2+/5/fma": "5dbc47c8731cfdcede60b628d391b7fbf2aaa7a16fb271bc9eda3bed40e5bad8",
    "pgzip/kp-1.15.10..1.18.0/5/fma": "1f4a08720301563b8a9cdb32056a85544e08b3288465c2370fa9b733cf45b3dc",
    "pgzip/kp-1.18.1/5/fma": "5dbc47c8731cfdcede60b628d391b7fbf2aaa7a16fb271bc9eda3bed40e5bad8",
    "go1.8-1.26/5": "8d9e45eb26628b7f88c6d07903e68ab23323b0eb033d783cd4e6e0611255e930",
    "go1.8-1.26/7": "e90c5c3a69f2a3c1da13138e518545cbfe20893308eb9e5d118d6c53c70d9761",
    "go1.8-1.26/4": "67e212faa9aafee544bdef2a806264f357ef142a1a6b045582e088e197b0130e",
    "go1.8-1.26/8": "3079119e43640aa38d9cae277576544248c71bea5f10c5ef87fc4672963b6511",
    "go1.8-1.26/9": "648700a5c56c6245f62f5beff23b7835fc506392a43b935af32b6762a6c7c84b",
}
#: Around the ends of blocks, sub-blocks and windows, and beside the shortest lengths that are treated in their own way.
AROUND = (65_535, 65_536, 98_304, 131_070)
TAILS = (-130, -33, -1, 0, 1, 16, 17, 32, 33, 127, 128)


@functools.cache
def contents() -> tuple[bytes, ...]:
    return tuple(_contents())


def _contents() -> Iterator[bytes]:
    choose = random.Random("digests")
    for size in range(300):
        alphabet = bytes(choose.randrange(256) for _ in range(choose.choice((1, 2, 3, 8, 40, 100))))
        yield bytes(choose.choices(alphabet, k=size))
        yield mixture(f"short {size}", size)
    for i, tail in enumerate(TAILS):
        yield mixture(f"around {tail}", AROUND[i % len(AROUND)] + tail)
    for distance in (32_506, 32_767, 32_768, 32_769):
        yield noise(f"far {distance}", distance) * 2 + noise("rest", 500)
    yield mixture("windows", 400_000)


@pytest.mark.parametrize("codec", CODECS)
def test_the_bytes_of_a_codec_never_change(codec: str) -> None:
    made = hashlib.sha256()
    for content in contents():
        made.update(encode(codec, content))
    assert made.hexdigest() == DIGESTS[codec]

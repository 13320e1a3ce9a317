# SPDX-License-Identifier: Apache-2.0
"""Shards cover everything, and nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.transfer import plan, shard_of
from tests.parts.images import Images
from tests.transfer.tools import root, source_of


@given(st.binary(min_size=32, max_size=32), st.integers(1, 500))
def test_every_digest_is_in_one_shard(content: bytes, count: int) -> None:
    assert 0 <= shard_of(f"sha256:{content.hex()}", count) < count


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_shards_of_a_plan(count: int) -> None:
    images = Images(63)
    source = source_of(images, v1=images.image(layers=40), v2=images.two_platforms())
    made = plan([root("v1"), root("v2")], {"here": source})
    parts = [made.shard(index, count) for index in range(count)]
    assert sorted(digest for part in parts for digest in part.blobs) == sorted(made.blobs)
    assert all(part.images == [] and part.manifests == {} for part in parts)
    assert all(part.blobs for part in parts)

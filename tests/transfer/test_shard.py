# SPDX-License-Identifier: Apache-2.0
"""Shards cover everything, nothing twice, and none is much larger than the others."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.transfer import Plan, plan
from airgap.transfer.shard import Shard, divide
from tests.parts.images import Images
from tests.transfer.tools import root, source_of


def blobs_of(sizes: list[int]) -> list[Descriptor]:
    return [
        Descriptor("application/octet-stream", digests.of(b"%d" % number), size) for number, size in enumerate(sizes)
    ]


def loads_of(blobs: list[Descriptor], count: int) -> list[list[int]]:
    """The sizes of the blobs in each shard."""
    shards = divide(blobs, count)
    return [[blob.size for blob in blobs if shards[blob.digest] == index] for index in range(count)]


@given(st.lists(st.integers(0, 20_000_000_000), max_size=80), st.integers(1, 40))
@example([125, 51, 25, 2, 1, 1], 4)
@example([10] * 9, 4)
def test_no_shard_is_above_the_mean_by_more_than_one_blob(sizes: list[int], count: int) -> None:
    loads = loads_of(blobs_of(sizes), count)
    assert sorted(size for load in loads for size in load) == sorted(sizes), "everything, and nothing twice"
    largest = max(loads, key=sum)
    assert (sum(largest) - min(largest, default=0)) * count <= sum(sizes)


@given(st.lists(st.integers(0, 1000), min_size=200, max_size=300), st.integers(1, 4))
def test_many_small_blobs_are_shared_evenly(sizes: list[int], count: int) -> None:
    loads = loads_of(blobs_of([*sizes, *[1000] * 40]), count)
    assert max(map(sum, loads)) * count <= 1.1 * sum(map(sum, loads))


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_order_of_the_blobs_does_not_matter(sizes: list[int], count: int, random: Random) -> None:
    blobs = blobs_of(sizes)
    shuffled = random.sample(blobs, len(blobs))
    assert divide(blobs, count) == divide(shuffled, count)


def test_machines_of_other_days_agree() -> None:
    """What any machine computes, on any Python."""
    blobs = blobs_of([5, 9, 9, 1, 7, 0, 5])
    shards = divide(blobs, 3)
    assert [shards[blob.digest] for blob in blobs] == [2, 0, 1, 1, 2, 1, 0]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_shards_of_a_plan(count: int) -> None:
    images = Images(63)
    source = source_of(images, v1=images.image(layers=40), v2=images.two_platforms())
    made = plan([root("v1"), root("v2")], {"here": source})
    parts = [Shard(index, count).select(made, made) for index in range(count)]
    assert sorted(digest for part in parts for digest in part.blobs) == sorted(made.blobs)
    assert all(part.images == [] and part.manifests == {} for part in parts)
    assert all(part.blobs for part in parts)


def test_what_the_target_has_moves_no_blob_to_another_shard() -> None:
    images = Images(64)
    source = source_of(images, v1=images.image(layers=9, size=500), v2=images.image(layers=9, size=900))
    whole = plan([root("v1"), root("v2")], {"here": source})
    part = whole.subset(whole.images[1:])
    for index in range(4):
        selected = Shard(index, 4).select(part, whole).blobs
        assert selected.keys() == Shard(index, 4).select(whole, whole).blobs.keys() & part.blobs.keys()


def test_layers_that_are_only_mounted_do_not_count() -> None:
    images = Images(65)
    layers = [images.layer(size=size) for size in (100_000, 90_000, 4_000, 4_000, 4_000, 4_000)]
    made = plan([root("v1")], {"here": source_of(images, v1=images.image(layers=layers))})
    omitted = {layer.descriptor.digest for layer in layers[:2]}

    def selected(index: int) -> tuple[int, int]:
        blobs = Shard(index, 2).select(made, made, omitted).blobs
        return len(blobs.keys() & omitted), sum(layer.descriptor.digest in blobs for layer in layers[2:])

    assert [selected(0), selected(1)] == [(1, 2), (1, 2)]


def test_no_blob_at_all() -> None:
    assert divide([], 3) == {}
    assert Shard(2, 3).select(Plan(), Plan()).blobs == {}

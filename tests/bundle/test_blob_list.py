# SPDX-License-Identifier: Apache-2.0
"""The compact list of blobs acts as the tuple of descriptors that it stands for."""

from __future__ import annotations

import pytest

from airgap.bundle.blob_list import BlobList
from airgap.oci import Descriptor
from airgap.oci import digest as digests

BLOBS = tuple(
    Descriptor("a/b" if number % 2 else "c/d", digests.of(b"%d" % number, algorithm), number * 1_000_000_007)
    for number, algorithm in enumerate(["sha256", "sha512", "sha256", "sha384", "sha256", "sha256"])
)


def test_a_sequence() -> None:
    blobs = BlobList(BLOBS)
    assert (len(blobs), tuple(blobs), blobs[1], blobs[-1], blobs[1:4]) == (6, BLOBS, BLOBS[1], BLOBS[-1], BLOBS[1:4])
    assert [blob.media_type for blob in blobs] == list(blobs.types()) == [blob.media_type for blob in BLOBS]
    assert list(blobs.digests()) == [blob.digest for blob in BLOBS]
    assert list(blobs.sizes()) == [blob.size for blob in BLOBS]
    assert blobs.algorithms() == ["sha256", "sha512", "sha384"]
    assert BLOBS[2] in blobs
    assert Descriptor("c/d", BLOBS[2].digest, 1) not in blobs
    for outside in (6, -7):
        with pytest.raises(IndexError):
            blobs[outside]


def test_by_digest() -> None:
    blobs = BlobList(BLOBS)
    for index, blob in enumerate(BLOBS):
        assert (blobs.find(blob.digest), blobs.get(blob.digest), blobs.size_of(blob.digest)) == (index, blob, blob.size)
    first = BLOBS[0].digest
    for other in (
        digests.of(b"x"),
        first.upper(),
        first.replace(":", ": "),
        first[:-2],
        "",
        "x",
        "md5:00",
        "docker.io/a/b:1",
    ):
        assert (blobs.find(other), blobs.get(other), blobs.size_of(other)) == (None, None, None)
    assert not blobs.has_duplicates
    assert BlobList((*BLOBS, BLOBS[2])).has_duplicates
    assert BlobList((*BLOBS, BLOBS[2])).find(BLOBS[2].digest) in (2, 6)
    assert BlobList().get(first) is None
    assert not BlobList().has_duplicates


def test_equality() -> None:
    assert BlobList(BLOBS) == BlobList(list(BLOBS))
    assert BlobList.of(BLOBS) == BlobList.of(BlobList(BLOBS))
    assert BlobList(BLOBS) != BlobList(BLOBS[:-1])
    assert BlobList(BLOBS) != BlobList((*BLOBS[:-1], Descriptor("x/y", BLOBS[-1].digest, BLOBS[-1].size)))
    assert BlobList(BLOBS) != BlobList((*BLOBS[:-1], Descriptor(BLOBS[-1].media_type, BLOBS[-1].digest, 1)))

# SPDX-License-Identifier: Apache-2.0
"""Garbage collection of a layout folder: what it keeps, what it removes, and what happens beside it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from airgap.errors import ContentError
from airgap.oci import Descriptor
from airgap.store import ImageLayout, garbage
from airgap.store.garbage import Collected, collect_garbage
from airgap.store.readers import bytes_opener
from tests.parts.images import Images
from tests.suites.store_suite import described

HOUR = 3600.0


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    return ImageLayout.create(tmp_path / "layout")


def blob_files(layout: ImageLayout) -> dict[str, Path]:
    return {path.name: path for path in sorted((layout.path / "blobs").glob("*/*"))}


def age_all(layout: ImageLayout, seconds: float = 2 * HOUR) -> None:
    for path in blob_files(layout).values():
        os.utime(path, (time.time() - seconds,) * 2)


def put(layout: ImageLayout, content: bytes) -> Descriptor:
    layout.push(described(content), bytes_opener(content))
    return described(content)


def test_what_no_image_needs_is_removed(layout: ImageLayout) -> None:
    images = Images(1)
    root = images.two_platforms(attested=True)
    images.push_to(layout, {"quay.io/a/b:1": root})
    needed = set(blob_files(layout))
    orphan = put(layout, b"orphan")
    age_all(layout)
    assert collect_garbage(layout, dry_run=True) == Collected(1, 6)
    assert set(blob_files(layout)) == needed | {orphan.digest.partition(":")[2]}
    assert collect_garbage(layout) == Collected(1, 6)
    assert set(blob_files(layout)) == needed


def test_blobs_within_the_grace_period_stay(layout: ImageLayout) -> None:
    put(layout, b"young")
    age_all(layout, HOUR - 30)
    assert collect_garbage(layout).blobs == 0
    age_all(layout, HOUR + 30)
    assert collect_garbage(layout).blobs == 1


def test_a_blob_that_a_client_was_told_of_stays(layout: ImageLayout) -> None:
    kept, removed = put(layout, b"kept"), put(layout, b"removed")
    age_all(layout)
    assert layout.renew(kept.digest)
    assert collect_garbage(layout).blobs == 1
    assert layout.exists(kept)
    assert not layout.renew(removed.digest)


def test_a_renewal_between_two_looks_is_seen(layout: ImageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told of the blob after its age was looked at, and before it is put aside."""
    blob = put(layout, b"content")
    age_all(layout)
    rename: Any = os.rename

    def renew_then_rename(source: Path, target: Path) -> None:
        if ".gc-" in str(target):
            assert layout.renew(blob.digest)
        rename(source, target)

    monkeypatch.setattr(os, "rename", renew_then_rename)
    assert collect_garbage(layout).blobs == 0
    assert layout.exists(blob)


def test_a_renewal_after_the_blob_was_put_aside_fails(layout: ImageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = put(layout, b"content")
    age_all(layout)
    rename: Any = os.rename
    answers = []

    def rename_then_renew(source: Path, target: Path) -> None:
        rename(source, target)
        if ".gc-" in str(target):
            answers.append(layout.renew(blob.digest))

    monkeypatch.setattr(os, "rename", rename_then_renew)
    assert collect_garbage(layout).blobs == 1
    assert answers == [False], "the client is told that it is not here, and pushes it"


def test_what_is_tagged_during_a_collection_stays(layout: ImageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes: what was renewed after it began is younger than what it removes."""
    images = Images(2)
    root = images.image()
    images.push_to(layout, {"quay.io/a/b:1": root})
    layout.untag("quay.io/a/b:1")
    age_all(layout)
    find = garbage.needed_digests

    def find_then_push(found: ImageLayout) -> set[str]:
        result = find(found)
        for name in blob_files(layout):
            layout.renew(f"sha256:{name}")
        return result

    monkeypatch.setattr(garbage, "needed_digests", find_then_push)
    assert collect_garbage(layout).blobs == 0


def test_a_damaged_manifest_stops_the_collection(layout: ImageLayout) -> None:
    images = Images(3)
    root = images.image()
    images.push_to(layout, {"quay.io/a/b:1": root})
    descriptor = layout.resolve("quay.io/a/b:1")
    path = blob_files(layout)[descriptor.digest.partition(":")[2]]
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    age_all(layout)
    before = set(blob_files(layout))
    with pytest.raises(ContentError) as caught:
        collect_garbage(layout)
    assert caught.value.hint
    assert set(blob_files(layout)) == before


def test_leftovers_of_killed_pushes_count(layout: ImageLayout) -> None:
    put(layout, b"x")
    (layout.path / "blobs/sha256/.push-abcd_123").write_bytes(b"12345")
    assert collect_garbage(layout).size == 5

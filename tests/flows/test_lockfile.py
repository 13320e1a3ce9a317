# SPDX-License-Identifier: Apache-2.0
"""``airgap.lock``: a tag that moves afterwards blocks nothing and changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.images import Images


@pytest.fixture
def locked(airgap: Airgap, registry: Registry) -> Airgap:
    """One export, with its lock written."""
    airgap.write("pod.yaml", pod("quay.io/x/a:1"))
    airgap.run("export", "pod.yaml", "-o", "first.tar", "--lock", "airgap.lock")
    return airgap


@pytest.fixture
def registry(airgap: Airgap) -> Iterator[Registry]:
    images = Images(21)
    with Registry() as made:
        made.fill(images, {"x/a:1": images.two_platforms(), "x/b:1": images.image()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": made.url}}))
        yield made


def move(registry: Registry) -> None:
    images = Images(22)
    registry.fill(images, {"x/a:1": images.image()})


def bundle(airgap: Airgap, name: str) -> bytes:
    return (airgap.folder / name).read_bytes()


def test_the_lock_has_the_documented_shape(locked: Airgap, registry: Registry) -> None:
    lock = json.loads((locked.folder / "airgap.lock").read_bytes())
    assert list(lock) == ["format", "platforms", "images", "referrers", "resources", "base", "features"]
    assert (lock["format"], lock["platforms"], lock["base"], lock["features"]) == (1, None, None, [])
    (entry,) = lock["images"].items()
    assert entry[0] == "quay.io/x/a:1"
    assert list(entry[1]) == ["digest", "mediaType", "size"]
    assert entry[1]["digest"] == registry.digest("x/a:1")
    content = (locked.folder / "pod.yaml").read_bytes()
    assert lock["resources"] == {"pod.yaml": f"sha256:{hashlib.sha256(content).hexdigest()}"}


def test_a_moved_tag_blocks_nothing_and_gives_the_same_bytes(locked: Airgap, registry: Registry) -> None:
    lock = bundle(locked, "airgap.lock")
    move(registry)
    locked.run("export", "pod.yaml", "-o", "second.tar", "--lock", "airgap.lock")
    assert bundle(locked, "first.tar") == bundle(locked, "second.tar")
    assert bundle(locked, "airgap.lock") == lock
    locked.run("export", "pod.yaml", "-o", "without.tar")
    assert bundle(locked, "without.tar") != bundle(locked, "first.tar")


def test_refresh_resolves_anew_and_rewrites_the_lock(locked: Airgap, registry: Registry) -> None:
    move(registry)
    locked.run("export", "pod.yaml", "-o", "second.tar", "--lock", "airgap.lock", "--refresh")
    lock = json.loads((locked.folder / "airgap.lock").read_bytes())
    assert lock["images"]["quay.io/x/a:1"]["digest"] == registry.digest("x/a:1")
    assert bundle(locked, "first.tar") != bundle(locked, "second.tar")


def test_a_signature_that_was_added_since_changes_nothing(locked: Airgap, registry: Registry) -> None:
    registry.refer("x/a:1")
    locked.run("export", "pod.yaml", "-o", "second.tar", "--lock", "airgap.lock")
    assert bundle(locked, "first.tar") == bundle(locked, "second.tar")
    locked.run("export", "pod.yaml", "-o", "third.tar", "--lock", "airgap.lock", "--refresh")
    assert bundle(locked, "third.tar") != bundle(locked, "first.tar")
    (referrers,) = json.loads((locked.folder / "airgap.lock").read_bytes())["referrers"].values()
    assert len(referrers) == 1
    locked.run("export", "pod.yaml", "-o", "fourth.tar", "--lock", "airgap.lock")
    assert bundle(locked, "fourth.tar") == bundle(locked, "third.tar")


@pytest.mark.parametrize("how", ["has changed", "is new", "is gone"])
def test_a_resource_file_that_is_not_as_it_was(locked: Airgap, how: str) -> None:
    paths = ["pod.yaml"]
    if how == "has changed":
        locked.write("pod.yaml", pod("quay.io/x/a:1") + "# more\n")
    elif how == "is new":
        locked.write("more.yaml", pod("quay.io/x/a:1"))
        paths.append("more.yaml")
    else:
        paths = ["--image", "quay.io/x/a:1"]
    said = locked.fails(2, "export", *paths, "-o", "second.tar", "--lock", "airgap.lock")
    assert how in said.errors[0]
    assert "--refresh" in said.stderr
    assert not (locked.folder / "second.tar").exists()


def test_a_reference_that_the_lock_does_not_know(locked: Airgap) -> None:
    before = locked.files()
    said = locked.fails(2, "export", "pod.yaml", "--image", "quay.io/x/b:1", "-o", "b.tar", "--lock", "airgap.lock")
    assert "the lock does not know quay.io/x/b:1" in said.errors[0]
    assert "--refresh" in said.stderr
    assert locked.files() == before


def test_other_platforms_than_the_locks(locked: Airgap) -> None:
    said = locked.fails(2, "export", "pod.yaml", "-o", "b.tar", "--lock", "airgap.lock", "--platform", "linux/amd64")
    assert "all platforms" in said.errors[0]
    assert "linux/amd64" in said.errors[0]


def test_a_failed_export_writes_no_lock(airgap: Airgap, registry: Registry) -> None:
    airgap.fails(22, "export", "--image", "quay.io/x/none:1", "-o", "b.tar", "--lock", "airgap.lock")
    assert airgap.files().keys() == {"airgap.yaml"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format":1,"images":{"x":{}}}', "\xff"])
def test_a_lock_that_is_none(locked: Airgap, content: str) -> None:
    locked.write("airgap.lock", content.encode("latin-1"))
    said = locked.fails(40, "export", "pod.yaml", "-o", "b.tar", "--lock", "airgap.lock")
    assert said.errors[0].startswith("airgap.lock: ")
    assert "remove it" in said.stderr


def test_a_lock_of_a_newer_format(locked: Airgap) -> None:
    locked.write("airgap.lock", '{"format": 2, "images": {}}')
    locked.fails(41, "export", "pod.yaml", "-o", "b.tar", "--lock", "airgap.lock")


def test_a_lock_that_cannot_be_written_is_told_before_the_work(locked: Airgap) -> None:
    said = locked.fails(42, "export", "pod.yaml", "-o", "b.tar", "--lock", "nowhere/airgap.lock")
    assert "nowhere" in said.errors[0]
    assert not (locked.folder / "b.tar").exists()


def test_a_lock_that_is_a_folder(locked: Airgap) -> None:
    (locked.folder / "folder").mkdir()
    locked.fails(42, "export", "pod.yaml", "-o", "b.tar", "--lock", "folder")

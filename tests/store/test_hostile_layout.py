# SPDX-License-Identifier: Apache-2.0
"""Layouts of strangers: links, pipes and devices where files belong, and indexes that are too much."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from airgap import bounded_json
from airgap.errors import BundleError, ContentError, OutputError
from airgap.oci import Descriptor
from airgap.store import ImageLayout
from airgap.store import layout_index as module
from airgap.store.readers import bytes_opener
from tests.suites.store_suite import described


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    layout = ImageLayout.create(tmp_path / "layout")
    layout.push(described(b"content"), bytes_opener(b"content"))
    layout.tag(described(b"content"), "a/b:1")
    return layout


@pytest.mark.parametrize("name", ["blobs", "blobs/sha256", "blobs/sha512"])
def test_folders_that_are_links(layout: ImageLayout, tmp_path: Path, name: str) -> None:
    """A push would write outside of the layout, and a pull would read there."""
    path = layout.path / name
    if path.exists():
        shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError) as caught:
        ImageLayout(layout.path)
    assert caught.value.where == str(path)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["oci-layout", "index.json", ".lock"])
@pytest.mark.parametrize("kind", ["link", "pipe", "device"])
def test_files_that_are_no_files(layout: ImageLayout, tmp_path: Path, name: str, kind: str) -> None:
    path = layout.path / name
    path.unlink()
    if kind == "link":
        (tmp_path / "other").write_text("{}")
        path.symlink_to(tmp_path / "other")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(BundleError) as caught:
        ImageLayout(layout.path)
    assert caught.value.where == str(path)


def test_an_index_that_becomes_a_pipe_or_a_link_hangs_nobody(layout: ImageLayout) -> None:
    path = layout.path / "index.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BundleError):
        layout.resolve("a/b:1")
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(BundleError):
        layout.resolve("a/b:1")


def test_a_lock_that_becomes_a_pipe_or_a_link(layout: ImageLayout, tmp_path: Path) -> None:
    path = layout.path / ".lock"
    path.unlink()
    path.symlink_to(tmp_path / "made by the lock")
    with pytest.raises(OutputError):
        layout.untag("a/b:1")
    assert not (tmp_path / "made by the lock").exists()


def test_blobs_that_are_pipes_or_links(layout: ImageLayout) -> None:
    descriptor = described(b"pipe")
    path = layout.path / "blobs/sha256" / descriptor.digest.partition(":")[2]
    os.mkfifo(path)
    assert layout.blob_size(descriptor.digest) is None
    with pytest.raises(ContentError):
        layout.open(descriptor)


def index_of(count: int, padding: int = 0) -> bytes:
    entry = {"mediaType": "a/b", "digest": f"sha256:{'0' * 64}", "size": 1}
    return json.dumps({"manifests": [entry] * count, "padding": "x" * padding}).encode()


def test_the_size_of_an_index(layout: ImageLayout) -> None:
    path, limit = layout.path / "index.json", module.MAX_INDEX_SIZE
    path.write_bytes(index_of(1).ljust(limit))
    assert layout.resolve(f"sha256:{'0' * 64}").size == 1
    path.write_bytes(index_of(1).ljust(limit + 1))
    with pytest.raises(ContentError, match="16,777,217 bytes"):
        layout.resolve(f"sha256:{'0' * 64}")


def test_the_values_of_an_index(layout: ImageLayout) -> None:
    path, limit = layout.path / "index.json", module.MAX_INDEX_VALUES
    rest = limit - index_of(1).count(b",") - index_of(1).count(b"[") - index_of(1).count(b"{")
    path.write_bytes(index_of(1, rest).replace(b"x" * rest, b"," * rest))
    assert layout.resolve(f"sha256:{'0' * 64}").size == 1
    path.write_bytes(index_of(1, rest + 1).replace(b"x" * (rest + 1), b"," * (rest + 1)))
    with pytest.raises(ContentError, match="400,001 values"):
        layout.resolve(f"sha256:{'0' * 64}")


# The index is parsed once


def parses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []
    loads = bounded_json.loads

    def counting(content: bytes, **more: Any) -> Any:
        counted.append(len(content))
        return loads(content, **more)

    monkeypatch.setattr(bounded_json, "loads", counting)
    return counted


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_an_index_is_parsed_once_for_each_version(layout: ImageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    age(layout.path / "index.json", 60)
    layout, counted = ImageLayout(layout.path), parses(monkeypatch)
    names = layout.names()
    for _ in range(10):
        assert layout.resolve("a/b:1") == described(b"content")
        assert layout.names() is names
    assert len(counted) == 1
    layout.tag(described(b"content"), "a/b:2")
    assert layout.names() is not names
    assert set(layout.names()) == {"a/b:1", "a/b:2"}
    assert len(counted) == 1, "what this process wrote is known"


def test_what_another_process_wrote_is_seen(layout: ImageLayout) -> None:
    other = ImageLayout(layout.path)
    for number in range(50):
        other.tag(described(b"content"), f"a/b:{number}")
        assert layout.resolve(f"a/b:{number}") == described(b"content")
        layout.untag(f"a/b:{number}")
        assert f"a/b:{number}" not in other.names()


def test_a_file_that_is_changed_in_place_is_seen(layout: ImageLayout) -> None:
    """As other programs do, within the resolution of time stamps and without a change of its size."""
    path = layout.path / "index.json"
    for number in range(10, 60):
        with open(path, "r+b") as file:
            file.write(path.read_bytes().replace(b"a/b:1", b"a/b:2") if number == 10 else path.read_bytes())
            file.seek(0)
            content = json.loads(file.read())
            content["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = f"a/b:{number}"
            file.seek(0)
            file.truncate()
            file.write(json.dumps(content).encode())
        assert list(layout.names()) == [f"a/b:{number}"]


def test_a_blob_needs_no_index(layout: ImageLayout) -> None:
    (layout.path / "index.json").write_bytes(b"damaged")
    assert layout.blob_size(described(b"content").digest) == 7
    assert layout.exists(Descriptor("", described(b"content").digest, 7))

# SPDX-License-Identifier: Apache-2.0
"""The layout folder: what OCI's image-layout.md says of it, and that nothing half done is ever seen."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airgap.errors import (
    BundleError,
    ContentError,
    ContentMissing,
    DigestMismatch,
    InvalidReference,
    NotFound,
    OutputError,
)
from airgap.oci import Descriptor
from airgap.oci import manifest as manifests
from airgap.store import FileRange, ImageLayout, Reader
from airgap.store import layout as module
from airgap.store.readers import BUFFER_SIZE, BytesReader, bytes_opener
from tests.parts.images import Images
from tests.suites.store_suite import LARGE, StoreSuite, described, noise, read_all


class TestLayout(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ImageLayout:
        return ImageLayout.create(tmp_path / "layout")


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    return ImageLayout.create(tmp_path / "layout")


def put(layout: ImageLayout, content: bytes) -> tuple[Descriptor, Path]:
    descriptor = described(content)
    layout.push(descriptor, bytes_opener(content))
    return descriptor, layout.path / "blobs" / "sha256" / descriptor.digest.partition(":")[2]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_folder_is_what_the_specification_says(layout: ImageLayout) -> None:
    images = Images(1)
    root = images.image()
    images.push_to(layout, {"docker.io/library/a:1": root})
    assert json.loads((layout.path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout.path / "index.json").read_bytes())
    assert (index["schemaVersion"], index["mediaType"]) == (2, manifests.OCI_INDEX)
    (entry,) = index["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "docker.io/library/a:1"}
    assert (entry["digest"], entry["size"]) == (root.digest, root.size)
    for digest, content in images.content.items():
        path = layout.path / "blobs" / digest.replace(":", "/")
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o644


def test_an_existing_layout_is_kept(layout: ImageLayout) -> None:
    images = Images(1)
    images.push_to(layout, {"a": images.image()})
    before = (layout.path / "index.json").read_bytes()
    again = ImageLayout.create(layout.path)
    assert (layout.path / "index.json").read_bytes() == before
    assert again.resolve("a").digest == layout.resolve("a").digest


def test_a_folder_that_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no OCI image layout") as caught:
        ImageLayout(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_reads_what_another_program_wrote(layout: ImageLayout) -> None:
    """Entries without a name, and a name given to another entry later, are other programs' habits."""
    images = Images(2)
    root, other = images.image(), images.image()
    images.push_to(layout, {"a": root, "b": other})
    document = json.loads((layout.path / "index.json").read_bytes())
    for entry in document["manifests"]:
        del entry["annotations"]
    del document["mediaType"]
    (layout.path / "index.json").write_text(json.dumps(document, indent=2))
    assert layout.names() == {}
    found = layout.resolve(root.digest)
    assert (found.media_type, found.size) == (root.media_type, root.size)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "null", '{"manifests": 3}', '{"manifests": [3]}', "[" * 100_000, '{"manifests":[{"digest":"x"}]}'],
)
def test_a_broken_index_is_named(layout: ImageLayout, text: str) -> None:
    (layout.path / "index.json").write_text(text)
    with pytest.raises(ContentError) as caught:
        layout.resolve("a")
    assert "index.json" in str(caught.value)


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha256:" + "A" * 64, "../x:y", "md5:" + "0" * 32])
def test_only_digests_become_paths(layout: ImageLayout, digest: str) -> None:
    for act in (layout.exists, layout.open, lambda d: layout.push(d, bytes_opener(b""))):
        with pytest.raises(InvalidReference):
            act(Descriptor("", digest, 0))
    with pytest.raises(NotFound):
        layout.resolve(digest)


def test_a_flipped_bit_is_found_while_reading(layout: ImageLayout) -> None:
    descriptor, path = put(layout, noise(LARGE))
    content = bytearray(path.read_bytes())
    content[BUFFER_SIZE + 5] ^= 4
    path.write_bytes(content)
    with pytest.raises(DigestMismatch) as caught:
        read_all(layout.open(descriptor))
    assert descriptor.digest in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("length", [0, 10, LARGE - 1, LARGE + 1])
def test_a_file_of_another_length_is_not_the_content(layout: ImageLayout, length: int) -> None:
    content = noise(LARGE)
    descriptor, path = put(layout, content)
    with path.open("r+b") as file:
        file.truncate(length)
    assert not layout.exists(descriptor)
    with pytest.raises(ContentError, match=f"has {length} bytes, not {LARGE}"):
        layout.open(descriptor)
    layout.push(descriptor, bytes_opener(content))
    assert read_all(layout.open(descriptor)) == content


def test_a_file_cut_while_it_is_read(layout: ImageLayout) -> None:
    descriptor, path = put(layout, noise(LARGE))
    reader = layout.open(descriptor)
    assert reader.readinto(memoryview(bytearray(BUFFER_SIZE))) == BUFFER_SIZE
    os.truncate(path, BUFFER_SIZE)
    with pytest.raises(ContentError, match="too early"):
        read_all(reader)


def test_links_and_pipes_are_not_read(layout: ImageLayout, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(noise(100))
    descriptor = described(noise(100))
    path = layout.path / "blobs" / "sha256" / descriptor.digest.partition(":")[2]
    path.parent.mkdir()
    path.symlink_to(secret)
    assert not layout.exists(descriptor)
    with pytest.raises(NotFound):
        layout.resolve(descriptor.digest)
    with pytest.raises(ContentMissing):
        layout.open(descriptor)
    path.unlink()
    os.mkfifo(path)
    assert not layout.exists(descriptor)
    with pytest.raises(ContentError, match="no regular file"):
        layout.open(descriptor)


def test_a_push_replaces_a_link_and_not_what_it_leads_to(layout: ImageLayout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"as it was")
    content = noise(100)
    path = layout.path / "blobs" / "sha256" / described(content).digest.partition(":")[2]
    path.parent.mkdir()
    path.symlink_to(elsewhere)
    put(layout, content)
    assert elsewhere.read_bytes() == b"as it was"
    assert path.read_bytes() == content
    assert not path.is_symlink()


def test_a_reader_is_a_range_of_a_file(layout: ImageLayout) -> None:
    content = noise(LARGE)
    descriptor, _ = put(layout, content)
    reader = layout.open(descriptor, 1000)
    assert isinstance(reader, FileRange)
    assert os.pread(reader.fd, 50, reader.offset) == content[1000:1050]
    assert reader.length == LARGE - 1000
    reader.close()


def test_content_is_on_the_disk_before_it_has_its_name(layout: ImageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync of the file, then rename, then fsync of the folder: in this order a power cut loses nothing."""
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(fd: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")
        fsync(fd)

    def noted_rename(source: str | Path, target: str | Path) -> None:
        steps.append(f"rename {Path(target).name[:5]}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    content = noise(100)
    (layout.path / "blobs" / "sha256").mkdir()
    descriptor, path = put(layout, content)
    assert steps == ["file", f"rename {path.name[:5]}", "folder"]
    steps.clear()
    layout.tag(descriptor, "a")
    assert steps == ["file", "rename index", "folder"]


def test_a_push_that_fails_leaves_no_file(layout: ImageLayout) -> None:
    before = files(layout.path)
    with pytest.raises(DigestMismatch):
        layout.push(described(noise(LARGE)), bytes_opener(noise(LARGE, 1)))
    with pytest.raises(ContentError):
        layout.push(described(noise(LARGE)), bytes_opener(noise(10)))
    with pytest.raises(ContentError, match="longer than"):
        layout.push(described(noise(LARGE)), bytes_opener(noise(LARGE) + b"x"))
    assert files(layout.path) == before


def test_a_failing_source_is_not_taken_for_a_failing_disk(layout: ImageLayout) -> None:
    class Failing:
        def readinto(self, buffer: memoryview, /) -> int:
            raise OSError(5, "Input/output error")

        def close(self) -> None:
            """Nothing is open."""

    with pytest.raises(BundleError, match="cannot read it at byte 0: Input/output") as caught:
        layout.push(described(noise(10)), lambda offset: Failing())
    assert not isinstance(caught.value, OutputError)


def test_a_full_disk_says_where(layout: ImageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, piece: memoryview, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        put(layout, noise(100))
    assert str(layout.path) in str(caught.value)
    assert files(layout.path / "blobs") == []


def test_a_short_write_is_continued(layout: ImageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, piece, at: whole(fd, piece[: max(1, len(piece) // 3)], at))
    content = noise(5000)
    descriptor, _ = put(layout, content)
    assert read_all(layout.open(descriptor)) == content


def test_a_folder_that_cannot_be_written(layout: ImageLayout) -> None:
    """In ways that hold for root too: a file where a folder should be, and the other way round."""
    descriptor, path = put(layout, noise(10))
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("")
    with pytest.raises(OutputError, match="cannot write") as caught:
        put(layout, noise(20))
    assert str(path.parent) in str(caught.value)
    path.parent.unlink()
    put(layout, noise(10))
    (layout.path / ".lock").mkdir()
    for act in (
        lambda: layout.tag(descriptor, "a"),
        lambda: layout.untag("a"),
        lambda: layout.delete(descriptor.digest),
    ):
        with pytest.raises(OutputError, match="cannot write"):
            act()


def test_a_place_where_no_layout_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make a layout"):
        ImageLayout.create(tmp_path / "file" / "layout")


KILLED = """
import os, signal, sys
from airgap.oci import Descriptor, digest
from airgap.store import ImageLayout
from airgap.store.readers import BytesReader

where, moment = sys.argv[1:]
content = bytes(3_000_000)

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Dying(BytesReader):
    count = 0
    def readinto(self, buffer):
        self.count += 1
        if self.count == 2:
            die()
        return super().readinto(buffer)

layout = ImageLayout(where)
if moment == "reading":
    opener = lambda offset: Dying(content)
else:
    opener = lambda offset: BytesReader(content)
    if moment == "renaming":
        os.rename = die
    elif moment == "syncing":
        os.fsync = die
layout.push(Descriptor("", digest.of(content), len(content)), opener)
"""


@pytest.mark.parametrize("moment", ["reading", "syncing", "renaming"])
def test_a_killed_push_is_as_if_it_had_not_been(layout: ImageLayout, moment: str) -> None:
    content = bytes(3_000_000)
    done = subprocess.run([sys.executable, "-c", KILLED, str(layout.path), moment], check=False)
    assert done.returncode == -signal.SIGKILL
    descriptor = described(content)
    again = ImageLayout(layout.path)
    assert not again.exists(descriptor)
    assert [name for name in files(layout.path / "blobs") if not Path(name).name.startswith(".")] == []
    again.push(descriptor, bytes_opener(content))
    assert read_all(again.open(descriptor)) == content


def test_a_killed_tag_leaves_the_old_index(layout: ImageLayout) -> None:
    images = Images(3)
    root = images.image()
    images.push_to(layout, {"a": root})
    program = (
        "import os, signal, sys\nfrom airgap.store import ImageLayout\n"
        "layout = ImageLayout(sys.argv[1])\nfound = layout.resolve('a')\n"
        "os.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\nlayout.tag(found, 'b')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(layout.path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert set(layout.names()) == {"a"}
    layout.tag(root, "b")  # the lock died with its holder
    assert set(layout.names()) == {"a", "b"}


def _tag_many(path: str, digest: str, size: int, prefix: str) -> None:
    layout = ImageLayout(path)
    for number in range(20):
        layout.tag(Descriptor(manifests.OCI_MANIFEST, digest, size), f"{prefix}{number}")


def test_no_name_is_lost_between_processes(layout: ImageLayout) -> None:
    images = Images(4)
    root = images.image()
    images.push_to(layout, {"a": root})
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_tag_many, args=(str(layout.path), root.digest, root.size, prefix)) for prefix in "xyz"
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(layout.names()) == 61


def test_no_name_is_lost_between_threads(layout: ImageLayout) -> None:
    images = Images(5)
    root = images.image()
    images.push_to(layout, {"a": root})
    threads = [
        threading.Thread(target=_tag_many, args=(str(layout.path), root.digest, root.size, prefix)) for prefix in "xyz"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(layout.names()) == 61


def test_an_index_is_never_seen_half_written(layout: ImageLayout) -> None:
    images = Images(6)
    root = images.image()
    images.push_to(layout, {"a": root})
    stop = threading.Event()
    seen = written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            layout.tag(root, f"name{written % 50}")
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while seen < 50 or written < 50:
            assert layout.resolve("a").digest == root.digest
            seen += 1
    finally:
        stop.set()
        writer.join(60)


def test_replacing_a_file_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    module.replace_file(target, b"one", mode=0o600)
    assert target.stat().st_mode & 0o777 == 0o600

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="Read-only"):
        module.replace_file(target, b"two")
    assert files(tmp_path) == ["file"]
    assert target.read_bytes() == b"one"


def test_a_push_closes_its_reader_when_interrupted(layout: ImageLayout) -> None:
    class Interrupted(BytesReader):
        closed = False

        def readinto(self, buffer: memoryview, /) -> int:
            raise KeyboardInterrupt

        def close(self) -> None:
            self.closed = True

    reader = Interrupted(b"")

    def opener(offset: int) -> Reader:
        return reader

    with contextlib.suppress(KeyboardInterrupt):
        layout.push(described(noise(10)), opener)
    assert reader.closed
    assert files(layout.path / "blobs") == []

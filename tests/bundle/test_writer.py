# SPDX-License-Identifier: Apache-2.0
"""Writing: each blob to its own place, whole or not at all, and no file of the final name before the end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airgap.bundle import BundleWriter, build_layout, open_bundle
from airgap.bundle.tar import TarLayout, lay_out
from airgap.errors import AirgapError, ContentError, ContentMissing, DigestMismatch, NotFound, OutputError
from airgap.oci import Descriptor
from airgap.store import Reader
from airgap.store.readers import BUFFER_SIZE, BytesReader, bytes_opener
from tests.bundle.bundles import Content, check, members_of, usual
from tests.parts.images import Images
from tests.parts.need import need_privilege
from tests.suites.store_suite import LARGE, Breaking, described, noise, read_all

CONTENTS = [noise(LARGE, 1), noise(5000, 2), noise(512, 3), b"", noise(1, 4)]
BLOBS = [described(content) for content in CONTENTS]


@pytest.fixture
def layout() -> TarLayout:
    return lay_out([("oci-layout", b"{}")], BLOBS)


@pytest.fixture
def writer(tmp_path: Path, layout: TarLayout) -> Iterator[BundleWriter]:
    made = BundleWriter.create(tmp_path / "b.tar", layout)
    yield made
    made.discard()


def fill(writer: BundleWriter) -> None:
    for blob, content in zip(BLOBS, CONTENTS, strict=True):
        writer.push(blob, bytes_opener(content))


@contextlib.contextmanager
def mounted(kind: str, options: str) -> Iterator[Path]:
    """A small file system of its own. Not below a test's folder: pytest could not remove what a killed run leaves."""
    need_privilege("mount file systems")
    folder = Path(tempfile.mkdtemp(prefix="airgap-fs-"))
    try:
        subprocess.run(["mount", "-t", kind, "-o", options, kind, folder], check=True)
    except subprocess.CalledProcessError:
        folder.rmdir()
        raise
    try:
        yield folder
    finally:
        # Lazily, since a test that failed may still have a file open there.
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


def test_nothing_has_the_final_name_before_the_end(tmp_path: Path, writer: BundleWriter, layout: TarLayout) -> None:
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.partial"]
    assert (tmp_path / "b.tar.partial").stat().st_blocks * 512 >= layout.total or writer.ordered
    fill(writer)
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.partial"]
    writer.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]
    raw = (tmp_path / "b.tar").read_bytes()
    assert len(raw) == layout.total
    assert [part.content for part in members_of(raw)][-len(CONTENTS) :] == CONTENTS
    writer.discard()
    assert (tmp_path / "b.tar").exists()


def test_any_order_gives_the_same_file(tmp_path: Path, layout: TarLayout) -> None:
    made = set()
    for step in (1, -1):
        writer = BundleWriter.create(tmp_path / "b.tar", layout)
        for blob, content in list(zip(BLOBS, CONTENTS, strict=True))[::step]:
            writer.push(blob, bytes_opener(content))
        writer.finish()
        made.add((tmp_path / "b.tar").read_bytes())
    assert len(made) == 1


def test_many_threads(tmp_path: Path) -> None:
    contents = [noise(3000 + number, number) for number in range(60)]
    layout = lay_out([], [described(content) for content in contents])
    writer = BundleWriter.create(tmp_path / "b.tar", layout)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: writer.push(described(content), bytes_opener(content)), contents))
    writer.finish()
    assert [part.content for part in members_of((tmp_path / "b.tar").read_bytes())][2:] == contents


def test_many_threads_push_one_digest(writer: BundleWriter) -> None:
    together, opened = threading.Barrier(4), list[int]()

    def opener(offset: int) -> Reader:
        opened.append(offset)
        return BytesReader(CONTENTS[0], offset)

    def push(_: int) -> None:
        together.wait(10)
        writer.push(BLOBS[0], opener)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(push, range(4)))
    assert opened == [0]
    assert read_all(writer.open(BLOBS[0])) == CONTENTS[0]


def test_discard_leaves_nothing(tmp_path: Path, writer: BundleWriter) -> None:
    fill(writer)
    writer.discard()
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_bundle_is_not_finished(tmp_path: Path, writer: BundleWriter) -> None:
    writer.push(BLOBS[1], bytes_opener(CONTENTS[1]))
    with pytest.raises(AirgapError, match=f"4 blobs were never written, the first is {BLOBS[0].digest}"):
        writer.finish()
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_wrong_content_is_refused(tmp_path: Path, writer: BundleWriter) -> None:
    for content, kind in (
        (noise(LARGE, 9), DigestMismatch),
        (CONTENTS[0][:-1], ContentError),
        (CONTENTS[0] + b"x", ContentError),
    ):
        with pytest.raises(kind, match=BLOBS[0].digest):
            writer.push(BLOBS[0], bytes_opener(content))
        assert not writer.exists(BLOBS[0])
        with pytest.raises(ContentMissing):
            writer.open(BLOBS[0])
        with pytest.raises(ContentMissing):
            writer.tag(BLOBS[0], "x")
    fill(writer)
    writer.finish()
    assert members_of((tmp_path / "b.tar").read_bytes())[-5].content == CONTENTS[0]


def test_wrong_content_does_not_spoil_what_is_there(writer: BundleWriter) -> None:
    fill(writer)
    writer.push(BLOBS[0], bytes_opener(noise(LARGE, 9)))
    assert read_all(writer.open(BLOBS[0])) == CONTENTS[0]


def test_a_blob_keeps_to_its_place(writer: BundleWriter) -> None:
    """A descriptor that says another size than the plan did must not write over its neighbour."""
    longer = Descriptor(BLOBS[1].media_type, BLOBS[1].digest, BLOBS[1].size + 2000)
    fill_first = noise(512, 3)
    writer.push(BLOBS[2], bytes_opener(fill_first))
    with pytest.raises(ContentError, match=r"has 7000 bytes, its place in this bundle 5000"):
        writer.push(longer, bytes_opener(noise(7000)))
    assert read_all(writer.open(BLOBS[2])) == fill_first


def test_content_that_breaks_off_can_be_pushed_again(writer: BundleWriter) -> None:
    broken: list[Breaking] = []

    def opener(offset: int) -> Reader:
        broken.append(Breaking(CONTENTS[0][offset:], BUFFER_SIZE + 77))
        return broken[-1]

    with pytest.raises(ContentError):
        writer.push(BLOBS[0], opener)
    assert broken[0].closed
    assert not writer.exists(BLOBS[0])
    writer.push(BLOBS[0], bytes_opener(CONTENTS[0]))
    assert read_all(writer.open(BLOBS[0], 1000)) == CONTENTS[0][1000:]


def test_what_was_not_planned_has_no_place(writer: BundleWriter) -> None:
    other = described(b"other")
    with pytest.raises(ContentMissing, match=other.digest):
        writer.push(other, bytes_opener(b"other"))
    with pytest.raises(NotFound):
        writer.resolve(other.digest)
    assert writer.resolve(BLOBS[0].digest) == BLOBS[0]


def test_a_second_writer_is_refused(tmp_path: Path, writer: BundleWriter, layout: TarLayout) -> None:
    fill(writer)
    with pytest.raises(OutputError, match="another airgap is writing this bundle"):
        BundleWriter.create(tmp_path / "b.tar", layout)
    writer.finish()
    assert (tmp_path / "b.tar").stat().st_size == layout.total


@pytest.mark.parametrize("third", [False, True], ids=["two-writers", "a-third-begins"])
def test_the_file_that_just_got_its_name_is_not_taken_for_an_unfinished_one(
    tmp_path: Path, writer: BundleWriter, layout: TarLayout, monkeypatch: pytest.MonkeyPatch, third: bool
) -> None:
    """Between a second writer's opening and locking, the first one finishes: it holds the finished file's handle."""
    fill(writer)
    flock = fcntl.flock

    def late(fd: int, how: int) -> None:
        writer.finish()
        if third:
            (tmp_path / "b.tar.partial").write_bytes(b"")
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(OutputError):
        BundleWriter.create(tmp_path / "b.tar", layout)
    assert (tmp_path / "b.tar").stat().st_size == layout.total
    assert members_of((tmp_path / "b.tar").read_bytes())[-5].content == CONTENTS[0]


def test_what_a_killed_export_left_is_begun_again(tmp_path: Path, layout: TarLayout) -> None:
    (tmp_path / "b.tar.partial").write_bytes(b"oci-layout\0" + b"\xff" * 2 * layout.total)
    writer = BundleWriter.create(tmp_path / "b.tar", layout)
    fill(writer)
    writer.finish()
    assert (tmp_path / "b.tar").stat().st_size == layout.total
    assert [part.content for part in members_of((tmp_path / "b.tar").read_bytes())][-5:] == CONTENTS


def test_a_file_that_airgap_did_not_begin_is_left_alone(tmp_path: Path, layout: TarLayout) -> None:
    (tmp_path / "b.tar.partial").write_bytes(b"somebody's notes")
    with pytest.raises(OutputError, match="did not begin"):
        BundleWriter.create(tmp_path / "b.tar", layout)
    assert (tmp_path / "b.tar.partial").read_bytes() == b"somebody's notes"


def test_a_link_is_not_followed(tmp_path: Path, layout: TarLayout) -> None:
    (tmp_path / "precious").write_bytes(b"keep")
    (tmp_path / "b.tar.partial").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="cannot write here"):
        BundleWriter.create(tmp_path / "b.tar", layout)
    assert (tmp_path / "precious").read_bytes() == b"keep"


def test_places_that_cannot_be_written(tmp_path: Path, layout: TarLayout) -> None:
    (tmp_path / "folder.tar").mkdir()
    for path in (tmp_path / "none" / "b.tar", tmp_path / "folder.tar", Path("/proc/b.tar")):
        with pytest.raises(OutputError) as caught:
            BundleWriter.create(path, layout)
        assert str(path) in str(caught.value)
        assert "-o" in (caught.value.hint or "")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.tar"]


def test_a_read_only_folder(tmp_path: Path, layout: TarLayout) -> None:
    with (
        mounted("tmpfs", "ro,size=1m") as folder,
        pytest.raises(OutputError, match="Read-only file system"),
    ):
        BundleWriter.create(folder / "b.tar", layout)


def test_a_disk_that_is_too_small(tmp_path: Path, layout: TarLayout) -> None:
    with mounted("tmpfs", "size=1m") as folder:
        with pytest.raises(OutputError, match=rf"needs {layout.total:,} bytes and this disk has [\d,]+ free") as caught:
            BundleWriter.create(folder / "b.tar", layout)
        assert list(folder.iterdir()) == []
    assert "--platform" in (caught.value.hint or "")


def test_a_disk_that_somebody_else_fills(tmp_path: Path, layout: TarLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free when asked, full when reserved."""
    with mounted("tmpfs", "size=1m") as folder:
        plenty = os.statvfs(tmp_path)
        monkeypatch.setattr(os, "fstatvfs", lambda fd: plenty)
        with pytest.raises(OutputError, match="the disk is full"):
            BundleWriter.create(folder / "b.tar", layout)
        assert list(folder.iterdir()) == []


def test_space_is_reserved(tmp_path: Path, layout: TarLayout) -> None:
    with mounted("tmpfs", "size=4m") as folder:
        writer = BundleWriter.create(folder / "b.tar", layout)
        assert not writer.ordered
        with (folder / "other").open("wb") as other, pytest.raises(OSError, match="No space left"):
            os.posix_fallocate(other.fileno(), 0, 4 << 20)
        fill(writer)
        writer.finish()
        assert (folder / "b.tar").stat().st_size == layout.total


def test_a_file_system_without_fallocate_is_written_in_order(tmp_path: Path) -> None:
    with mounted("ramfs", "mode=0755") as folder:
        content = usual()
        planned, _ = content.planned()
        writer = BundleWriter.create(folder / "b.tar", build_layout(planned)[1])
        assert writer.ordered
        writer.discard()
        content.write(folder / "b.tar")
        check(folder / "b.tar")
        content.write(tmp_path / "b.tar")
        assert (folder / "b.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


_LIMITED = """
import resource, sys
from airgap.bundle import BundleWriter
from airgap.bundle.tar import lay_out
from airgap.errors import OutputError
from airgap.oci import Descriptor
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
blob = Descriptor("x", "sha256:" + "0" * 64, 2 << 20)
try:
    BundleWriter.create(sys.argv[1], lay_out([], [blob]))
except OutputError as error:
    print(error, error.hint, sep="\\n")
"""


@pytest.mark.parametrize("kind", ["", "ramfs"], ids=["reserved", "without-fallocate"])
def test_a_file_that_may_not_become_so_large(tmp_path: Path, kind: str) -> None:
    """What FAT says of 4 GiB, said here by a limit of the process."""
    with mounted(kind, "mode=0755") if kind else contextlib.nullcontext(tmp_path) as folder:
        command = [sys.executable, "-c", _LIMITED, str(folder / "b.tar")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        what, hint = done.stdout.splitlines()
        assert what == f"{folder / 'b.tar'}: this file system cannot hold a file of this size"
        assert "exFAT" in hint
        assert [path.name for path in folder.iterdir()] == []


def test_the_largest_file_of_a_file_system_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fallocate, its refusal to seek so far tells, and nothing need be written to learn it."""
    with (tmp_path / "tried").open("wb") as tried, contextlib.suppress(OSError):
        os.lseek(tried.fileno(), 1 << 62, os.SEEK_SET)
        pytest.skip("the file system of the temporary folder holds files of any size")
    (tmp_path / "tried").unlink()
    largest = Descriptor("x", "sha256:" + "0" * 64, (1 << 62) - 1)
    plenty = os.statvfs_result((4096, 4096, 1 << 60, 1 << 60, 1 << 60, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "fstatvfs", lambda fd: plenty)
    monkeypatch.setattr("airgap.bundle.media.file.fallocate", lambda fd, size: errno.EOPNOTSUPP)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    with pytest.raises(OutputError, match="cannot hold a file of this size"):
        BundleWriter.create(tmp_path / "b.tar", lay_out([], [largest]))
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_says_where(tmp_path: Path, writer: BundleWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, what in (
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EIO, "cannot write"),
    ):

        def fail(*_: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", fail)
            with pytest.raises(OutputError, match=what) as caught:
                writer.push(BLOBS[1], bytes_opener(CONTENTS[1]))
        assert str(tmp_path / "b.tar") in str(caught.value)
        assert not writer.exists(BLOBS[1])


def test_an_end_that_fails_can_still_be_discarded(
    tmp_path: Path, writer: BundleWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(writer)

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OutputError, match="cannot write"):
            writer.finish()
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_short_write_is_gone_on_with(tmp_path: Path, writer: BundleWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, piece, offset: pwrite(fd, memoryview(piece)[:100_000], offset))
    fill(writer)
    writer.finish()
    assert members_of((tmp_path / "b.tar").read_bytes())[-5].content == CONTENTS[0]


def test_a_bundle_of_nothing(tmp_path: Path) -> None:
    Content(Images(1), {}).write(tmp_path / "b.tar")
    with open_bundle(tmp_path / "b.tar") as reader:
        assert reader.inventory.images == ()
        assert dict(reader.names()) == {}
    assert check(tmp_path / "b.tar").blobs == 0

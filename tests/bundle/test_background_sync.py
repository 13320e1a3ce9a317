# SPDX-License-Identifier: Apache-2.0
"""What was written is put on the disk beside the workers: none waits for it, and what goes wrong there is raised."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from airgap.bundle import BundleWriter, background_sync, build_layout, open_bundle
from airgap.bundle.background_sync import BackgroundSync
from airgap.bundle.journal import ExportJournal
from airgap.bundle.lockfile import Lockfile
from airgap.bundle.media import FileDraft
from airgap.errors import OutputError
from airgap.store.readers import BytesReader, bytes_opener
from tests.bundle.bundles import Content, usual
from tests.parts.disk import Disk, recording, restore
from tests.parts.waiting import at_rest, wait_until


class Slow:
    """A draft whose syncs wait until they are let go, and may fail then."""

    def __init__(self, draft: FileDraft) -> None:
        self.draft = draft
        self.begun, self.release = threading.Event(), threading.Event()
        self.failure: OutputError | None = None
        self.at_once = self.most = 0
        self.draft_sync, draft.sync = draft.sync, self.sync  # type: ignore[method-assign] # what the test is about

    def sync(self) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.begun.set()
        assert self.release.wait(20)
        self.at_once -= 1
        if self.failure is not None:
            raise self.failure
        self.draft_sync()


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> Content:
    monkeypatch.setattr(background_sync, "SYNC_BYTES", 1)  # every piece is one too many
    return usual()


@pytest.fixture
def slow(content: Content, tmp_path: Path) -> Iterator[tuple[BundleWriter, Slow, ExportJournal]]:
    layout = build_layout(content.planned()[0])[1]
    draft = FileDraft.begin(tmp_path / "b.tar", layout.total)
    journal = ExportJournal.open(tmp_path / "b.tar.journal", create=True)
    assert journal is not None
    journal.begin(Lockfile(), "id", "form")
    held = Slow(draft)
    writer = BundleWriter.begin(draft, layout, {}, journal)
    yield writer, held, journal
    held.release.set()
    writer.discard()


def fill(writer: BundleWriter, content: Content) -> None:
    for blob in build_layout(content.planned()[0])[1].blobs:
        writer.push(blob, bytes_opener(content.images.content[blob.digest]))


def test_no_worker_waits_for_the_disk(content: Content, slow: tuple[BundleWriter, Slow, ExportJournal]) -> None:
    writer, held, journal = slow
    fill(writer, content)  # all of it, while the first sync has not ended
    assert held.begun.is_set()
    assert held.at_once == 1
    held.release.set()
    writer.finish()
    assert held.most == 1
    assert not journal.path.exists()
    with open_bundle(writer.path) as reader:
        for blob in reader.inventory.blobs:
            reader.check_blob(blob)


def test_the_journal_says_nothing_is_on_the_disk_before_it_is(
    content: Content, slow: tuple[BundleWriter, Slow, ExportJournal]
) -> None:
    writer, held, journal = slow
    fill(writer, content)
    assert b"synced" not in journal.path.read_bytes()
    held.release.set()
    writer.keep()  # waits for the sync that is under way
    assert b"synced" in journal.path.read_bytes()


def test_a_disk_that_is_full_after_all_ends_it(
    content: Content, slow: tuple[BundleWriter, Slow, ExportJournal]
) -> None:
    writer, held, journal = slow
    held.failure = OutputError("the disk is full")
    fill(writer, content)
    held.release.set()
    with pytest.raises(OutputError, match="full"):
        writer.finish()
    assert not writer.path.exists()
    writer.keep()
    assert journal.path.exists()


def test_a_blob_that_is_finished_during_a_sync_is_not_vouched_for(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last piece is written when the sync has ended, and its line before the journal says what was synced."""
    layout = build_layout(content.planned()[0])[1]
    blob = max(layout.blobs, key=lambda candidate: candidate.size)
    folder, again = tmp_path / "first", tmp_path / "again"
    folder.mkdir()
    synced, release = threading.Event(), threading.Event()

    class Pieces(BytesReader):
        """The second piece is given once the first is on the disk."""

        given = 0

        def readinto(self, buffer: memoryview, /) -> int:
            if self.given == 1:
                assert synced.wait(20)
            self.given += 1
            return super().readinto(buffer[: blob.size // 2 + 1])

    with recording(folder, monkeypatch) as operations:
        journal = ExportJournal.open(folder / "b.tar.journal", create=True)
        assert journal is not None
        draft = FileDraft.begin(folder / "b.tar", layout.total)
        real_sync = draft.sync

        def sync() -> None:
            real_sync()
            synced.set()
            assert release.wait(20)

        monkeypatch.setattr(draft, "sync", sync)
        journal.begin(Lockfile(), "id", "form")
        writer = BundleWriter.begin(draft, layout, {}, journal)
        writer.push(blob, lambda offset: Pieces(content.images.content[blob.digest], offset))
        release.set()
        writer.keep()
        journal.close()
    disk = Disk(operations)
    killed, cut = disk.after_a_kill(), disk.after_a_power_cut()
    restore({"b.tar.journal": killed["b.tar.journal"], "b.tar.partial": cut["b.tar.partial"]}, again)
    left = ExportJournal.open(again / "b.tar.journal", create=False)
    reopened = FileDraft.resume(again / "b.tar", layout.total)
    assert left is not None
    assert reopened is not None
    assert left.progress.finished == {blob.digest}
    resumed = BundleWriter.resume(reopened, layout, {}, left)
    assert resumed is not None
    assert not resumed.exists(blob)
    resumed.discard()


def test_a_sync_is_due_after_exactly_as_many_bytes(
    slow: tuple[BundleWriter, Slow, ExportJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, held, journal = slow
    monkeypatch.setattr(background_sync, "SYNC_BYTES", 100)
    monkeypatch.setattr(background_sync, "SYNC_SECONDS", 1e9)
    sync = BackgroundSync(held.draft, journal)
    held.release.set()
    sync.add_written(99)
    sync.wait()
    assert not held.begun.is_set()
    sync.add_written(1)
    sync.wait()
    assert held.begun.is_set()


def test_two_workers_begin_one_sync(
    slow: tuple[BundleWriter, Slow, ExportJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second worker comes when the first has decided to begin a sync and has not yet begun it."""
    _, held, journal = slow
    sync = BackgroundSync(held.draft, journal)
    second = threading.Thread(target=sync.add_written, args=(1,))
    waits = at_rest(os.getpid(), lambda: [second.native_id or 0])

    def clock() -> float:
        if second.ident is None:
            second.start()
            wait_until(lambda: not second.is_alive() or waits())
        return 0.0

    monkeypatch.setattr(background_sync, "time", SimpleNamespace(monotonic=clock))
    sync.add_written(1)
    second.join()
    assert [thread.name for thread in threading.enumerate()].count("airgap-sync") == 1
    held.release.set()
    sync.finish()

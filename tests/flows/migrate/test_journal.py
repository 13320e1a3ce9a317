# SPDX-License-Identifier: Apache-2.0
"""What a migration remembers: after a batch it survives a power cut, and a full disk stops no migration."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from airgap.errors import NotReady
from airgap.events import Event, Warned
from airgap.flows.migrate.journal import MigrationJournal
from tests.parts.disk import Disk, recording, restore

HEAD = {"source": "a", "target": "b"}
DIGEST, OTHER = (f"sha256:{letter * 64}" for letter in "ab")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "migrate.jsonl"


def test_what_was_noted_before_a_sync_survives_a_power_cut(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    with recording(path.parent, monkeypatch) as operations:
        journal = MigrationJournal.open(path, HEAD)
        journal.add_tag("app:1", DIGEST)
        journal.add_blob(OTHER, "app")
        journal.add_date(DIGEST, "2026-01-02T03:04:05Z")
        journal.add_index(DIGEST, [OTHER])
        journal.sync()
        synced = len(operations)
        journal.add_tag("app:2", OTHER)
        journal.close()
    restore(Disk(operations[:synced]).after_a_power_cut(), path.parent)
    state = MigrationJournal.read(path, HEAD).state
    assert state.tags == {"app:1": DIGEST}
    assert state.blobs == {OTHER: "app"}
    assert state.dates == {DIGEST: "2026-01-02T03:04:05Z"}
    assert state.children == {DIGEST: [OTHER]}


def test_a_journal_of_another_pair_is_begun_anew(path: Path) -> None:
    journal = MigrationJournal.open(path, HEAD)
    journal.add_tag("app:1", DIGEST)
    journal.close()
    other = MigrationJournal.read(path, {**HEAD, "target": "c"})
    assert other.state.tags == {}
    assert MigrationJournal.read(path, HEAD).state.tags == {"app:1": DIGEST}
    other = MigrationJournal.open(path, {**HEAD, "target": "c"})
    other.close()
    assert MigrationJournal.read(path, HEAD).state.tags == {}


def test_reading_a_missing_journal_gives_an_empty_state(path: Path) -> None:
    journal = MigrationJournal.read(path, HEAD)
    assert (journal.state.tags, journal.state.blobs, journal.is_open) == ({}, {}, False)
    assert not path.parent.exists()


def test_one_migration_at_a_time(path: Path) -> None:
    journal = MigrationJournal.open(path, HEAD)
    with pytest.raises(NotReady, match="another migration"):
        MigrationJournal.open(path, HEAD)
    assert MigrationJournal.read(path, HEAD).state.tags == {}
    journal.close()
    MigrationJournal.open(path, HEAD).close()


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_a_full_disk_is_said_once_and_stops_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    events: list[Event] = []
    journal = MigrationJournal.open(path, HEAD, events.append)

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    for number in range(3):
        journal.add_tag(f"app:{number}", DIGEST)
        journal.sync()
    assert journal.state.tags == {f"app:{number}": DIGEST for number in range(3)}
    (warning,) = [event for event in events if isinstance(event, Warned)]
    assert "No space left" in warning.text
    journal.close()


def test_a_journal_that_cannot_be_written_is_closed_and_unlocked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = MigrationJournal.open(path, HEAD)

    def fail(fd: int, *arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        patched.setattr(os, "fsync", fail)
        journal.sync()
    MigrationJournal.open(path, HEAD).close()

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
        journal = MigrationJournal(path, HEAD)
        journal.tag("app:1", DIGEST)
        journal.blob(OTHER, "app")
        journal.date(DIGEST, "2026-01-02T03:04:05Z")
        journal.index(DIGEST, [OTHER])
        journal.sync()
        synced = len(operations)
        journal.tag("app:2", OTHER)
        journal.close()
    restore(Disk(operations[:synced]).after_a_power_cut(), path.parent)
    known = MigrationJournal(path, HEAD, writes=False).known
    assert known.tags == {"app:1": DIGEST}
    assert known.blobs == {OTHER: "app"}
    assert known.dates == {DIGEST: "2026-01-02T03:04:05Z"}
    assert known.children == {DIGEST: [OTHER]}


def test_a_journal_of_another_pair_is_begun_anew(path: Path) -> None:
    journal = MigrationJournal(path, HEAD)
    journal.tag("app:1", DIGEST)
    journal.close()
    other = MigrationJournal(path, {**HEAD, "target": "c"}, writes=False)
    assert other.known.tags == {}
    assert MigrationJournal(path, HEAD, writes=False).known.tags == {"app:1": DIGEST}
    other = MigrationJournal(path, {**HEAD, "target": "c"})
    other.close()
    assert MigrationJournal(path, HEAD, writes=False).known.tags == {}


def test_one_migration_at_a_time(path: Path) -> None:
    journal = MigrationJournal(path, HEAD)
    with pytest.raises(NotReady, match="another migration"):
        MigrationJournal(path, HEAD)
    assert MigrationJournal(path, HEAD, writes=False).known.tags == {}
    journal.close()
    MigrationJournal(path, HEAD).close()


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_a_full_disk_is_said_once_and_stops_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    events: list[Event] = []
    journal = MigrationJournal(path, HEAD, emit=events.append)

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    for number in range(3):
        journal.tag(f"app:{number}", DIGEST)
        journal.sync()
    assert journal.known.tags == {f"app:{number}": DIGEST for number in range(3)}
    (warning,) = [event for event in events if isinstance(event, Warned)]
    assert "No space left" in warning.text
    journal.close()

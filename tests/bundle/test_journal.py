# SPDX-License-Identifier: Apache-2.0
"""The journal of an export: who holds its lock, and who does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.bundle.journal import ExportJournal
from airgap.bundle.lockfile import Lockfile
from airgap.errors import OutputError


def test_closing_releases_the_lock_and_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.journal"
    journal = ExportJournal.open(path, create=True)
    assert journal is not None
    journal.begin(Lockfile(), "id", "tar")
    with pytest.raises(OutputError, match="another airgap is writing this bundle"):
        ExportJournal.open(path, create=False)
    journal.close()
    reopened = ExportJournal.open(path, create=False)
    assert reopened is not None
    assert reopened.bundle_id == "id"
    reopened.close()


def test_a_journal_that_was_only_read_can_be_closed(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.journal"
    journal = ExportJournal.open(path, create=True)
    assert journal is not None
    journal.begin(Lockfile(), "id", "tar")
    read = ExportJournal.read(path)
    assert read is not None
    read.close()
    with pytest.raises(OutputError, match="another airgap is writing this bundle"):
        ExportJournal.open(path, create=False)
    journal.remove()

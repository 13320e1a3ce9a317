# SPDX-License-Identifier: Apache-2.0
"""The journal of an export: who holds its lock, and who does not."""

from __future__ import annotations

import json
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


def test_the_first_line_says_what_is_written(tmp_path: Path) -> None:
    """Its format is 1: with another number no unfinished bundle of an earlier version would be continued."""
    path = tmp_path / "b.tar.journal"
    journal = ExportJournal.open(path, create=True)
    assert journal is not None
    assert not journal.identifies_bundle
    journal.begin(Lockfile(), "id", "tar")
    first_line = json.loads(path.read_bytes().splitlines()[0])
    assert {name: first_line[name] for name in ("format", "bundle", "form")} == {
        "format": 1,
        "bundle": "id",
        "form": "tar",
    }
    journal.remove()


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"format": 2, "bundle": "id", "form": "tar", "lock": {}}\n', b"x"])
def test_a_file_without_a_valid_first_line_identifies_no_bundle(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.tar.journal"
    path.write_bytes(content)
    journal = ExportJournal.open(path, create=False)
    assert journal is not None
    assert not journal.identifies_bundle
    assert (journal.lockfile, journal.bundle_id, journal.output_format) == (None, "", "")
    journal.remove()

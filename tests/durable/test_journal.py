# SPDX-License-Identifier: Apache-2.0
"""One rule for every journal: whole lines count, the first damaged one and all behind it are gone, one writer."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from airgap.durable import FileLocked, Journal
from tests.parts.disk import Disk, recording


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder / "a.jsonl"


def filled(path: Path, *entries: dict[str, Any]) -> None:
    journal = Journal.open(path)
    for entry in entries:
        journal.append(entry)
    journal.close()


def test_entries_come_back_in_order(path: Path) -> None:
    filled(path, {"a": 1}, {"b": "한글"})
    assert Journal.read(path) == [{"a": 1}, {"b": "한글"}]
    journal = Journal.open(path)
    assert journal.entries_at_open == [{"a": 1}, {"b": "한글"}]
    assert journal.line_count == 2
    journal.append({"c": None})
    assert journal.line_count == 3
    journal.close()
    assert Journal.read(path) == [{"a": 1}, {"b": "한글"}, {"c": None}]


@pytest.mark.parametrize(
    "damage",
    [
        b'{"torn":',
        b'{"whole but for the newline":1}',
        b"\0" * 40,
        b"\0\0\n" + b'{"after":1}\n',
        b'[1]\n{"after":1}\n',
        b"7\n",
        b"\xff\xfe\n",
        b"\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_what_follows_a_damaged_line_is_removed(path: Path, damage: bytes) -> None:
    filled(path, {"a": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + damage)
    assert Journal.read(path) == [{"a": 1}]
    assert path.read_bytes() == whole + damage, "reading changes nothing"
    journal = Journal.open(path)
    assert journal.entries_at_open == [{"a": 1}]
    journal.append({"b": 2})
    journal.close()
    assert path.read_bytes() == whole + b'{"b":2}\n'


def test_one_writer_at_a_time(path: Path) -> None:
    journal = Journal.open(path)
    with pytest.raises(FileLocked):
        Journal.open(path)
    journal.close()
    journal.close()
    Journal.open(path).close()


def test_a_refused_open_leaves_no_file_open(path: Path) -> None:
    journal = Journal.open(path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(FileLocked):
            Journal.open(path)
    assert len(os.listdir("/proc/self/fd")) == before
    journal.close()


def test_a_file_that_its_last_holder_removed_is_made_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removed between our opening and our locking: a lock on it would keep nobody out."""
    path.write_bytes(b'{"old":1}\n')
    real, removed = os.open, []

    def open_(name: Any, flags: int, mode: int = 0o777) -> int:
        fd = real(name, flags, mode)
        if name == path and not removed:
            removed.append(name)
            os.unlink(path)
        return fd

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_)
        journal = Journal.open(path)
    assert journal.entries_at_open == []
    with pytest.raises(FileLocked):
        Journal.open(path)
    journal.close()


def test_without_create_a_missing_file_is_an_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journal.open(path, create=False)
    assert not path.exists()


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic"):
        Journal.open(path)
    assert (tmp_path / "precious").read_text() == "x"


def test_the_mode_is_private_unless_asked_otherwise(path: Path) -> None:
    os.umask(os.umask(0o022))
    Journal.open(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_restart_replaces_everything(path: Path) -> None:
    filled(path, {"a": 1}, {"b": 2})
    journal = Journal.open(path)
    journal.reset({"head": 1})
    assert (journal.entries_at_open, journal.line_count) == ([], 1)
    journal.append({"c": 3})
    journal.close()
    assert path.read_bytes() == b'{"head":1}\n{"c":3}\n'


def test_remove_deletes_before_it_unlocks(path: Path) -> None:
    journal = Journal.open(path)
    journal.remove()
    assert not path.exists()
    journal.remove()
    Journal.open(path).close()
    journal.remove()
    assert path.exists(), "a closed journal removes nothing"


def test_a_closed_journal_takes_nothing(path: Path) -> None:
    journal = Journal.open(path)
    journal.close()
    with pytest.raises(OSError, match="closed"):
        journal.append({"a": 1})
    assert path.read_bytes() == b""


def test_half_a_line_that_a_full_disk_took_is_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(path)
    journal.append({"a": 1})
    real, full = os.pwrite, []

    def pwrite(fd: int, content: bytes, offset: int) -> int:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        full.append(True)
        return real(fd, content[:4], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", pwrite)
        with pytest.raises(OSError, match="No space"):
            journal.append({"lost": True})
    assert path.read_bytes() == b'{"a":1}\n'
    assert journal.line_count == 1
    journal.append({"b": 2})
    journal.close()
    assert Journal.read(path) == [{"a": 1}, {"b": 2}]


def test_short_writes_are_completed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, content, offset: real(fd, content[:3], offset))
    filled(path, {"long": "x" * 50}, {"b": 2})
    assert Journal.read(path) == [{"long": "x" * 50}, {"b": 2}]


def test_threads_tear_no_line(path: Path) -> None:
    journal = Journal.open(path)

    def work(number: int) -> None:
        for step in range(200):
            journal.append({"thread": number, "step": step})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.line_count == 1200
    journal.close()
    entries = Journal.read(path)
    assert len(entries) == 1200
    for number in range(6):
        assert [entry["step"] for entry in entries if entry["thread"] == number] == list(range(200))


def test_what_was_synced_survives_a_power_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(path.parent, monkeypatch) as operations:
        journal = Journal.open(path)
        journal.reset({"head": 1})
        restarted = len(operations)
        journal.append({"a": 1})
        journal.sync()
        synced = len(operations)
        journal.append({"b": 2})
        journal.close()
    assert Disk(operations[:restarted]).after_a_power_cut() == {path.name: b'{"head":1}\n'}
    assert Disk(operations[:synced]).after_a_power_cut() == {path.name: b'{"head":1}\n{"a":1}\n'}
    assert Disk(operations).after_a_power_cut() == {path.name: b'{"head":1}\n{"a":1}\n'}
    assert Disk(operations).after_a_kill() == {path.name: b'{"head":1}\n{"a":1}\n{"b":2}\n'}


def test_closing_frees_the_lock_of_a_process_without_standard_input(tmp_path: Path) -> None:
    """The journal may then have descriptor 0."""
    code = (
        "import sys; from pathlib import Path; from airgap.durable.journal import Journal\n"
        "path = Path(sys.argv[1]); Journal.open(path).close(); Journal.open(path).close()"
    )
    command = 'exec "$0" -c "$1" "$2" <&-'
    subprocess.run(["sh", "-c", command, sys.executable, code, str(tmp_path / "j")], check=True)

# SPDX-License-Identifier: Apache-2.0
"""The journal of uploads under way: what survives a kill, what is not believed, and who may hold it."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airgap.errors import NotReady, OutputError
from airgap.events import Event, Warned
from airgap.registry import SessionJournal
from airgap.registry.upload_sessions import is_upload_path
from tests.parts.waiting import at_rest, wait_until

HEAD = {"target": "r.test/p", "address": "https://r.test", "bundle": "b" * 64}
DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
HERE = "/v2/p/app/blobs/uploads/one?_state=a%2Bb=="


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "airgap" / "import-1.jsonl"


def test_is_remembered(path: Path) -> None:
    first = SessionJournal.open(path, HEAD)
    first.note("p/app", DIGEST, "/v2/p/app/blobs/uploads/zero")
    first.note("p/app", DIGEST, HERE)
    first.note("p/app", OTHER, HERE)
    first.forget("p/app", OTHER)
    assert first.find("p/app", DIGEST) == HERE
    first.close()
    second = SessionJournal.open(path, HEAD)
    assert second.find("p/app", DIGEST) == HERE
    assert second.find("p/app", OTHER) == second.find("p/other", DIGEST) == ""
    second.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_goes_when_nothing_in_it_is_of_use(path: Path) -> None:
    journal = SessionJournal.open(path, HEAD)
    journal.close()
    assert not path.exists()
    journal = SessionJournal.open(path, HEAD)
    journal.note("p/app", DIGEST, HERE)
    journal.close(whole=True)
    assert not path.exists()


def test_a_line_that_a_kill_cut_off(path: Path) -> None:
    journal = SessionJournal.open(path, HEAD)
    journal.note("p/app", DIGEST, HERE)
    journal.note("p/app", OTHER, HERE)
    journal.close()
    path.write_bytes(path.read_bytes()[:-20])
    journal = SessionJournal.open(path, HEAD)
    assert journal.find("p/app", DIGEST) == HERE
    assert journal.find("p/app", OTHER) == ""
    journal.note("p/app", OTHER, HERE)
    journal.close()
    assert SessionJournal.open(path, HEAD).find("p/app", OTHER) == HERE


@pytest.mark.parametrize("change", [{"address": "https://elsewhere.test"}, {"bundle": "c" * 64}, {"shard": "0/2"}])
def test_somebody_elses_is_begun_anew(path: Path, change: dict[str, str]) -> None:
    journal = SessionJournal.open(path, HEAD)
    journal.note("p/app", DIGEST, HERE)
    journal.close()
    assert SessionJournal.open(path, {**HEAD, **change}).find("p/app", DIGEST) == ""


@pytest.mark.parametrize("content", [b"", b"\0\xff", b"[]\n", b'{"format":99}\n{"repository":1}\n'])
def test_garbage_is_begun_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    journal = SessionJournal.open(path, HEAD)
    journal.note("p/app", DIGEST, HERE)
    journal.close()
    assert json.loads(path.read_bytes().splitlines()[0])["bundle"] == HEAD["bundle"]


@pytest.mark.parametrize(
    "location",
    [
        "http://elsewhere.test/v2/p/app/blobs/uploads/1",
        "@elsewhere.test/v2/p/app/blobs/uploads/1",
        "//elsewhere.test/v2/p/app/blobs/uploads/1",
        "/v2/p/other/blobs/uploads/1",
        "/v2/p/app/manifests/latest",
        "/v2/p/app/blobs/uploads/",
        "/v2/p/app/blobs/uploads/?x",
        "/v2/p/app/blobs/uploads/../../manifests/latest",
        "/v2/p/app/blobs/uploads/1/../../../manifests/latest",
        "/v2/p/app/blobs/uploads/1 HTTP/1.1",
        "/v2/p/app/blobs/uploads/1?a=\r\nHost: x",
        "/v2/p/app/blobs/uploads/" + "1" * 9000,
        "",
    ],
)
def test_what_is_no_upload_there_is_not_believed(path: Path, location: str) -> None:
    """Whoever can write the file can at most make us ask for an upload of the same repository."""
    assert not is_upload_path("p/app", location)
    path.parent.mkdir(parents=True)
    entry = {"repository": "p/app", "digest": DIGEST, "location": location}
    path.write_text(json.dumps({"format": 1, **HEAD}, separators=(",", ":")) + "\n" + json.dumps(entry) + "\n")
    assert SessionJournal.open(path, HEAD).find("p/app", DIGEST) == ""


def test_the_longest_path_that_is_believed() -> None:
    start = "/v2/p/app/blobs/uploads/"
    longest = start + "1" * (8192 - len(start))
    assert is_upload_path("p/app", longest)
    assert not is_upload_path("p/app", longest + "1")


def test_one_import_at_a_time(path: Path) -> None:
    first = SessionJournal.open(path, HEAD)
    code = "from airgap.registry import SessionJournal as S; from pathlib import Path; "
    code += f"S.open(Path({str(path)!r}), {HEAD!r})"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert "NotReady" in second.stderr
    with pytest.raises(NotReady, match="another import"):
        SessionJournal.open(path, HEAD)
    first.note("p/app", DIGEST, HERE)
    first.close()
    SessionJournal.open(path, HEAD).close()


def test_a_lock_of_a_file_that_was_removed_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking, the one before ends its import and removes the file."""
    import fcntl

    real, calls = fcntl.flock, 0

    def late(fd: int, how: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            path.unlink()
        real(fd, how)

    monkeypatch.setattr("airgap.durable.files.fcntl.flock", late)
    journal = SessionJournal.open(path, HEAD)
    assert calls == 2
    with pytest.raises(NotReady):
        SessionJournal.open(path, HEAD)
    journal.close()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be kept"):
        SessionJournal.open(tmp_path / "file" / "import.jsonl", HEAD)
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "import.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError):
        SessionJournal.open(tmp_path / "import.jsonl", HEAD)
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_a_full_disk_is_said_and_stops_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    journal = SessionJournal.open(path, HEAD, events.append)

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("airgap.durable.journal.os.fdatasync", full)
    journal.note("p/app", DIGEST, HERE)
    journal.note("p/app", OTHER, HERE)
    assert journal.find("p/app", OTHER) == HERE
    (said,) = [event for event in events if isinstance(event, Warned)]
    assert "No space left" in said.text
    journal.close()


def test_a_full_disk_is_said_once_to_threads_that_write_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    journal = SessionJournal.open(path, HEAD, events.append)
    journal.note("p/app", OTHER, HERE)
    before = path.read_bytes()
    syncing, failing = threading.Event(), threading.Event()

    def full(fd: int) -> None:
        syncing.set()
        assert failing.wait(60)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("airgap.durable.journal.os.fdatasync", full)
    noting = threading.Thread(target=journal.note, args=("p/app", DIGEST, HERE))
    forgetting = threading.Thread(target=journal.forget, args=("p/app", OTHER))
    noting.start()
    assert syncing.wait(60)
    forgetting.start()
    rested = at_rest(os.getpid(), lambda: [forgetting.native_id or 0])
    wait_until(lambda: not forgetting.is_alive() or rested())
    failing.set()
    noting.join()
    forgetting.join()
    lines = path.read_bytes().removeprefix(before).splitlines()
    assert [json.loads(line)["digest"] for line in lines] == [DIGEST], "nothing is recorded after the failure"
    assert len([event for event in events if isinstance(event, Warned)]) == 1
    journal.close()

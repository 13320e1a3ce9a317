# SPDX-License-Identifier: Apache-2.0
"""A file is replaced as a whole or not at all, at any moment of a kill or a power cut."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airgap.durable import (
    FileLocked,
    create_temporary,
    is_same_file,
    lock,
    new_file_mode,
    publish,
    replace_file,
    writing,
)
from airgap.errors import OutputError
from tests.parts.disk import Disk, recording


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    return made


def test_the_old_or_the_new_file_is_there_at_every_moment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"old" * 100)
    with recording(folder, monkeypatch) as operations:
        replace_file(path, b"new content")
    begun = next(number for number, operation in enumerate(operations) if operation.kind == "sync-folder")
    seen = set()
    for count in range(begun + 1, len(operations) + 1):
        seen |= {state["a.txt"] for state in Disk(operations[:count]).states()}
    assert seen == {b"old" * 100, b"new content"}
    assert {state["a.txt"] for state in Disk(operations).states()} == {b"new content"}
    assert [entry.name for entry in folder.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_goes_with_the_next_write(folder: Path) -> None:
    """And nothing else: not what a living process writes, no link, no folder, and no file that is only called alike."""
    kept = {".airgap-settings", ".airgap-new-notes.txt", ".airgap-new-12345678"}
    (folder / ".airgap-new-abcd_123").write_bytes(b"left over")
    (folder / ".airgap-settings").write_bytes(b"somebody's")
    (folder / ".airgap-new-notes.txt").write_bytes(b"somebody's")
    (folder / ".airgap-new-12345678").mkdir()
    (folder / ".airgap-new-link____").symlink_to(".airgap-settings")
    fd, living = create_temporary(folder)
    try:
        replace_file(folder / "a.txt", b"new")
    finally:
        os.close(fd)
    assert {path.name for path in folder.iterdir()} == {*kept, ".airgap-new-link____", "a.txt", living.name}


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename", "fchmod"])
def test_a_failure_leaves_the_old_file_alone(folder: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"old")

    def fails(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(OSError, match="No space"):
            replace_file(path, b"new")
    assert {entry.name: entry.read_bytes() for entry in folder.iterdir()} == {"a.txt": b"old"}


def test_mode_and_owner(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a.txt"
    replace_file(path, b"x", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    replace_file(path, b"x")
    assert path.stat().st_mode & 0o777 == 0o644
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda fd, user, group: asked.append((user, group)))
    replace_file(path, b"x", owner=(os.getuid(), os.getgid()))
    assert asked == []
    replace_file(path, b"x", owner=(os.getuid() + 1, os.getgid()))
    assert asked == [(os.getuid() + 1, os.getgid())]


def test_publish_refuses_a_file_that_another_put_there(folder: Path) -> None:
    temporary, path = folder / "a.partial", folder / "a"
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT)
    try:
        temporary.unlink()
        temporary.write_bytes(b"somebody else's")
        with pytest.raises(OutputError, match="replaced") as caught:
            publish(fd, temporary, path)
        assert str(temporary) == caught.value.where
        temporary.unlink()
        with pytest.raises(OutputError, match="replaced"):
            publish(fd, temporary, path)
    finally:
        os.close(fd)
    assert list(folder.iterdir()) == []


def test_is_same_file_does_not_follow_links(folder: Path) -> None:
    (folder / "a").write_bytes(b"")
    (folder / "link").symlink_to("a")
    fd = os.open(folder / "a", os.O_RDONLY)
    try:
        assert is_same_file(fd, folder / "a")
        assert not is_same_file(fd, folder / "link")
        assert not is_same_file(fd, folder / "missing")
    finally:
        os.close(fd)


def test_a_lock_keeps_other_processes_out(folder: Path) -> None:
    path = folder / "a"
    path.write_bytes(b"")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl,sys; f=open(sys.argv[1]); fcntl.flock(f,fcntl.LOCK_EX); print('held',flush=True); input()",
            path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    fd = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(FileLocked):
            lock(fd)
        holder.communicate(b"\n")
        lock(fd)
    finally:
        os.close(fd)


def test_a_file_system_without_locks_is_another_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("airgap.durable.files.fcntl.flock", no_locks)
    fd = os.open(folder, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="locks") as caught:
            lock(fd)
        assert not isinstance(caught.value, FileLocked)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("number", "what", "hint"),
    [
        (errno.ENOSPC, "the disk is full", "free space"),
        (errno.EDQUOT, "the disk is full", "free space"),
        (errno.EFBIG, "cannot hold a file of this size", "--volume-size fat32"),
        (errno.EIO, "cannot write: Input/output error", "-o"),
    ],
)
def test_a_failed_write_says_what_helps(number: int, what: str, hint: str) -> None:
    with pytest.raises(OutputError, match=what) as caught, writing(Path("/media/usb/b.tar")):
        raise OSError(number, os.strerror(number))
    assert caught.value.where == "/media/usb/b.tar"
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 42


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600), (0o027, 0o640)])
def test_new_files_have_what_the_umask_leaves(folder: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        replace_file(folder / "a.txt", b"x")
        assert new_file_mode() == mode
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert (folder / "a.txt").stat().st_mode & 0o777 == mode

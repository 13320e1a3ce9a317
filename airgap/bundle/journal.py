# SPDX-License-Identifier: Apache-2.0
"""``NAME.journal`` beside ``NAME.partial``: what an export has done, so that the next one goes on there.

One JSON object a line, appended. The first says what is being made: the lock, the bundle's ID and its form. Then a
blob that is whole, how far a large one is, and each time the bundle's bytes were synced how many lines were true of
the disk by then: these survived whatever happened, what the others say is hashed again before it is believed. A last
line that was torn is as if it had never been written.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airgap.bundle.inventory import Lock
from airgap.bundle.media.base import writing
from airgap.errors import AirgapError
from airgap.records import Record, field

FORMAT = 1


class Journal(Record, frozen=False):
    """``whole`` maps digests of finished blobs to whether they are known to be on the disk; ``reached`` maps others to
    the bytes that were written, and ``synced`` to those that are on the disk."""

    path: Path
    lock: Lock
    id: str
    form: str
    whole: dict[str, bool] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)
    synced: dict[str, int] = field(default_factory=dict)
    _fd: int = -1
    #: Lines written so far. Two threads count them, and none may be counted that is not written.
    _lines: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path) -> Journal | None:
        """What an earlier run left at ``path``; ``None`` where there is none, or none that can be read."""
        try:
            content = path.read_bytes()
        except OSError:
            return None
        lines = _lines(content)
        try:
            head = next(lines)
            if head["format"] != FORMAT:
                return None
            lock = Lock.from_bytes(json.dumps(head["lock"]).encode(), where=str(path))
            journal = cls(path, lock, str(head["bundle"]), str(head["form"]))
        except (StopIteration, KeyError, TypeError, AirgapError):
            return None
        entries = [head, *lines]
        journal._lines = len(entries)
        applied = 0
        for entry in entries:
            count = entry.get("synced")
            if isinstance(count, int) and applied < count <= len(entries):
                for earlier in entries[applied:count]:
                    _take(earlier, journal.whole, journal.synced, sure=True)
                applied = count
        journal.reached = dict(journal.synced)
        for entry in entries[applied:]:
            _take(entry, journal.whole, journal.reached, sure=False)
        return journal

    def begin(self) -> None:
        """Write the first line. Raises :class:`OutputError`."""
        head = {"format": FORMAT, "bundle": self.id, "form": self.form, "lock": json.loads(self.lock.to_bytes())}
        with writing(self.path):
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            self._put(head)
            os.fsync(self._fd)

    def go_on(self) -> None:
        """Append to what is there, behind its last whole line."""
        with writing(self.path):
            self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            content = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
            os.ftruncate(self._fd, content.rfind(b"\n") + 1)
            os.lseek(self._fd, 0, os.SEEK_END)

    def note(self, digest: str, reached: int) -> None:
        """So many bytes of a blob are written."""
        self._put({"blob": digest, "at": reached})

    def finished(self, digest: str) -> None:
        """A blob is written whole and verified."""
        self._put({"blob": digest, "whole": True})

    @property
    def lines(self) -> int:
        """How many lines there are, for :meth:`sync`."""
        return self._lines

    def sync(self, lines: int) -> None:
        """Every byte that the first ``lines`` lines speak of is on the disk."""
        self._put({"synced": lines})
        with writing(self.path):
            os.fsync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        self.close()
        with writing(self.path):
            self.path.unlink(missing_ok=True)

    def _put(self, entry: dict[str, Any]) -> None:
        with writing(self.path), self._lock:
            os.write(self._fd, json.dumps(entry, separators=(",", ":")).encode() + b"\n")
            self._lines += 1


def _take(entry: dict[str, Any], whole: dict[str, bool], reached: dict[str, int], *, sure: bool) -> None:
    digest = entry.get("blob")
    if isinstance(digest, str) and entry.get("whole"):
        whole[digest] = sure or whole.get(digest, False)
        reached.pop(digest, None)
    elif isinstance(digest, str) and isinstance(at := entry.get("at"), int):
        reached[digest] = max(at, 0)


def journal_of(path: Path) -> Path:
    """Where the journal of the bundle ``path`` lies."""
    return path.with_name(f"{path.name}.journal")


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.split(b"\n")[:-1]:
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if not isinstance(entry, dict):
            return
        yield entry

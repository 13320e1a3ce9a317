# SPDX-License-Identifier: Apache-2.0
"""What a migration has done, for the next run of it: the same command after a kill, or ``--delta`` weeks later.

One JSON object a line, appended: a tag that the target was seen to hold, with its digest; a blob with a repository of
the target that took it; a date or an index's children, which never change. Names and digests alone, no credential. A
line that was torn is as if it had never been written, and what a line claims wrongly costs a question: content is only
ever mounted by it, and a manifest whose parts are missing has them sent again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airgap.errors import NotReady, OutputError
from airgap.events import Sink, Warned, ignore
from airgap.oci import digest as digests
from airgap.records import Record, field
from airgap.store.layout import sync_folder


class Memory(Record, frozen=False):
    """What is known of earlier runs. ``tags`` by ``repository:tag`` below the prefixes, ``dates`` and ``children`` by
    digest; an empty date is one that the image does not tell."""

    tags: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)

    def take(self, entry: Mapping[str, Any]) -> None:
        digest = entry.get("digest")
        if not isinstance(digest, str) or digests.problem(digest):
            return
        tag, repository, date, children = (entry.get(key) for key in ("tag", "repository", "created", "children"))
        if isinstance(tag, str):
            self.tags[tag] = digest
        elif isinstance(repository, str):
            self.blobs[digest] = repository
        elif isinstance(date, str):
            self.dates[digest] = date
        elif isinstance(children, list):
            self.children[digest] = [child for child in children if isinstance(child, str)]


class Journal:
    """Thread-safe. With no ``path`` nothing outlives the run; ``writes`` false reads what is there and leaves it.

    Raises :class:`OutputError` where it cannot be written, :class:`NotReady` where another process holds it.
    """

    def __init__(
        self, path: Path | None, head: Mapping[str, object], *, writes: bool = True, emit: Sink = ignore
    ) -> None:
        self.path = path
        self.known = Memory()
        self._emit = emit
        self._fd = -1
        self._lock = threading.Lock()
        if path is None:
            return
        try:
            if writes:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._fd = _locked(path)
            self._load(path, {"format": 1, **head})
        except OSError as error:
            self.close()
            raise OutputError(
                f"what a migration leaves for the next run cannot be kept here: {error.strerror}",
                where=str(path),
                hint="--state DIR chooses another folder",
            ) from error

    def tag(self, name: str, digest: str) -> None:
        if self.known.tags.get(name) != digest:
            self._note({"tag": name, "digest": digest})

    def blob(self, digest: str, repository: str) -> None:
        if digest not in self.known.blobs:
            self._note({"repository": repository, "digest": digest})

    def date(self, digest: str, created: str) -> None:
        self._note({"created": created, "digest": digest})

    def index(self, digest: str, children: Sequence[str]) -> None:
        if digest not in self.known.children:
            self._note({"children": list(children), "digest": digest})

    def sync(self) -> None:
        """What was noted so far survives a power cut."""
        with self._lock, contextlib.suppress(OSError):
            if self._fd >= 0:
                os.fdatasync(self._fd)

    def close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _note(self, entry: dict[str, Any]) -> None:
        with self._lock:
            self.known.take(entry)
            if self._fd < 0:
                return
            try:
                os.write(self._fd, json.dumps(entry, separators=(",", ":")).encode() + b"\n")
            except OSError as error:
                os.close(self._fd)
                self._fd = -1
                said = f"{self.path}: cannot be written ({error.strerror}); the next run will ask more"
                self._emit(Warned(said))

    def _load(self, path: Path, head: Mapping[str, object]) -> None:
        try:
            first, *rest = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        if _document(first) != head:
            if self._fd >= 0:
                os.ftruncate(self._fd, 0)
                os.write(self._fd, json.dumps(head, separators=(",", ":")).encode() + b"\n")
                sync_folder(path.parent)
            return
        for line in rest:
            self.known.take(_document(line))
        if self._fd >= 0 and rest and rest[-1]:
            os.write(self._fd, b"\n")  # behind the line that a kill cut off


def name_for(source: str, target: str) -> str:
    """The journal's file name, one for each pair."""
    return f"migrate-{hashlib.sha256(f'{source} {target}'.encode()).hexdigest()[:24]}"


def _locked(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise NotReady(
            "another migration from this source to this target is running",
            where=str(path),
            hint="wait for its end; the same command then goes on where it stopped",
        ) from error
    return fd


def _document(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

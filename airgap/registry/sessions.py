# SPDX-License-Identifier: Apache-2.0
"""Which uploads a registry has under way, remembered beyond the end of this program.

One file for each import (target and bundle): a head line, then one line for each session begun, moved on
or ended, appended and fsynced, so that a kill or a power cut loses at most a line that was not yet
needed. It holds paths at the registry and no credential; what it gives back is checked to be an upload
of the same repository at the same address. A lock keeps two imports of one thing apart.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from airgap.errors import NotReady, OutputError
from airgap.events import Sink, Warned, ignore
from airgap.store.layout import sync_folder

#: What may follow ``/v2/NAME/blobs/uploads/`` in a path that is believed later: no way to anywhere else.
_SESSION = re.compile(r"[A-Za-z0-9._~=+:-]+/?(\?[!-~]*)?", re.ASCII)
_LONGEST = 8192


class Sessions(Protocol):
    """Locations of uploads under way, by repository and digest."""

    def find(self, repository: str, digest: str, /) -> str: ...
    def note(self, repository: str, digest: str, location: str, /) -> None: ...
    def forget(self, repository: str, digest: str, /) -> None: ...


class NoSessions:
    """Nothing is remembered."""

    def find(self, repository: str, digest: str, /) -> str:
        return ""

    def note(self, repository: str, digest: str, location: str, /) -> None: ...

    def forget(self, repository: str, digest: str, /) -> None: ...


class SessionJournal:
    """Thread-safe. ``head`` says whose journal it is: one with another head is begun anew.

    Raises :class:`OutputError` where it cannot be written, :class:`NotReady` where another process holds it. A disk
    that is full later stops nothing: it is said, and nothing more is noted.
    """

    def __init__(self, path: Path, head: Mapping[str, object], emit: Sink = ignore) -> None:
        self.path = path
        self._emit = emit
        self._failed = False
        self._lock = threading.Lock()
        self._fd = -1
        self._known: dict[tuple[str, str], str] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._open()
            self._load({"format": 1, **head})
        except OSError as error:
            self.close()
            raise OutputError(
                f"what an import leaves for the next run cannot be kept here: {error.strerror}",
                where=str(path),
                hint="--state DIR chooses another folder",
            ) from error

    def find(self, repository: str, digest: str, /) -> str:
        with self._lock:
            return self._known.get((repository, digest), "")

    def note(self, repository: str, digest: str, location: str, /) -> None:
        if not believable(repository, location):
            return
        with self._lock:
            self._known[repository, digest] = location
            self._append({"repository": repository, "digest": digest, "location": location}, sync=True)

    def forget(self, repository: str, digest: str, /) -> None:
        with self._lock:
            if self._known.pop((repository, digest), None) is not None:
                # Not synced: were the line lost, the registry would say that there is no such upload.
                self._append({"repository": repository, "digest": digest, "location": ""}, sync=False)

    def close(self, *, whole: bool = False) -> None:
        """Let go of the file; it goes where nothing in it would be of use, and after a ``whole`` import."""
        with self._lock:
            if self._fd < 0:
                return
            if whole or not self._known:
                with contextlib.suppress(OSError):
                    self.path.unlink()
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        while True:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(self._fd)
                self._fd = -1
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                raise NotReady(
                    "another import of this bundle to this target is running",
                    where=str(self.path),
                    hint="wait for its end; the same command then goes on where it stopped",
                ) from error
            # Whoever held it before may have removed it meanwhile: then this is the lock of nothing.
            with contextlib.suppress(FileNotFoundError):
                there = os.stat(self.path)
                if os.path.samestat(there, os.fstat(self._fd)):
                    return
            os.close(self._fd)

    def _load(self, head: Mapping[str, object]) -> None:
        with open(self._fd, "rb", closefd=False) as file:
            first, *rest = file.read().split(b"\n")
        if _document(first) != head:
            os.ftruncate(self._fd, 0)
            self._append(head, sync=True)
            sync_folder(self.path.parent)
            return
        for line in rest:
            entry = _document(line)
            if entry is None:
                continue  # the line that a kill cut off
            repository, digest, location = (str(entry.get(key, "")) for key in ("repository", "digest", "location"))
            if believable(repository, location):
                self._known[repository, digest] = location
            else:
                self._known.pop((repository, digest), None)
        if rest and rest[-1]:
            os.write(self._fd, b"\n")

    def _append(self, entry: Mapping[str, object], *, sync: bool) -> None:
        if self._fd < 0 or self._failed:
            return
        try:
            os.write(self._fd, json.dumps(entry, separators=(",", ":")).encode() + b"\n")
            if sync:
                os.fdatasync(self._fd)
        except OSError as error:
            self._failed = True
            self._emit(
                Warned(
                    f"{self.path}: cannot be written ({error.strerror}); if this import is killed, the blobs that are "
                    "on their way then begin again"
                )
            )


def believable(repository: str, location: str) -> bool:
    """Whether ``location`` is the path of an upload of ``repository``, and can be nothing else."""
    begin = f"/v2/{repository}/blobs/uploads/"
    if not repository or not location.startswith(begin) or len(location) > _LONGEST:
        return False
    rest = location[len(begin) :]
    return bool(_SESSION.fullmatch(rest)) and not rest.startswith((".", "?"))


def _document(line: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

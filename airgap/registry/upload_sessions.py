# SPDX-License-Identifier: Apache-2.0
"""Which uploads a registry has under way, remembered beyond the end of this program.

One journal for each import (target and bundle): a first line that says whose it is, then one for each session begun,
moved on or ended. It holds paths at the registry and no credential; what it gives back is checked to be an upload of
the same repository at the same address. Its lock keeps two imports of one bundle apart.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from airgap.durable import FileLocked, Journal
from airgap.errors import NotReady, OutputError
from airgap.events import Sink, Warned, ignore

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
        self._guard = threading.Lock()
        self._known: dict[tuple[str, str], str] = {}
        head = {"format": 1, **head}
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._journal = Journal.open(path)
            try:
                if self._journal.entries[:1] == [head]:
                    self._load(self._journal.entries[1:])
                else:
                    self._journal.restart(head)
            except BaseException:
                self._journal.close()
                raise
        except FileLocked as error:
            raise NotReady(
                "another import of this bundle to this target is running",
                where=str(path),
                hint="wait for its end; the same command then goes on where it stopped",
            ) from error
        except OSError as error:
            raise OutputError(
                f"what an import leaves for the next run cannot be kept here: {error.strerror}",
                where=str(path),
                hint="--state DIR chooses another folder",
            ) from error

    def find(self, repository: str, digest: str, /) -> str:
        with self._guard:
            return self._known.get((repository, digest), "")

    def note(self, repository: str, digest: str, location: str, /) -> None:
        if not believable(repository, location):
            return
        with self._guard:
            self._known[repository, digest] = location
            self._append({"repository": repository, "digest": digest, "location": location}, sync=True)

    def forget(self, repository: str, digest: str, /) -> None:
        with self._guard:
            if self._known.pop((repository, digest), None) is not None:
                # Not synced: were the line lost, the registry would say that there is no such upload.
                self._append({"repository": repository, "digest": digest, "location": ""}, sync=False)

    def close(self, *, whole: bool = False) -> None:
        """Release the file; delete it where nothing in it would be of use, and after a ``whole`` import."""
        with self._guard:
            if whole or not self._known:
                with contextlib.suppress(OSError):
                    self._journal.remove()
            self._journal.close()

    def _load(self, entries: Iterable[Mapping[str, object]]) -> None:
        for entry in entries:
            repository, digest, location = (str(entry.get(key, "")) for key in ("repository", "digest", "location"))
            if believable(repository, location):
                self._known[repository, digest] = location
            else:
                self._known.pop((repository, digest), None)

    def _append(self, entry: Mapping[str, object], *, sync: bool) -> None:
        if self._failed:
            return
        try:
            self._journal.append(entry)
            if sync:
                self._journal.sync()
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

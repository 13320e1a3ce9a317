# SPDX-License-Identifier: Apache-2.0
"""What a migration has done, for the next run of it: the same command after a kill, or ``--delta`` weeks later.

One JSON object a line, appended: a tag that the target was seen to hold, with its digest; a blob with a repository of
the target that took it; a date or an index's children, which never change. Names and digests alone, no credential. A
line that was torn is as if it had never been written, and what a line claims wrongly costs a question: content is only
ever mounted by it, and a manifest whose parts are missing has them sent again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from airgap.durable import FileLocked, Journal
from airgap.errors import NotReady, OutputError
from airgap.events import Sink, Warned, ignore
from airgap.oci import digest as digests
from airgap.records import Record, field


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


class MigrationJournal:
    """Thread-safe. With no ``path`` nothing outlives the run; ``writes`` false reads what is there and leaves it.

    Raises :class:`OutputError` where it cannot be written, :class:`NotReady` where another process holds it.
    """

    def __init__(
        self, path: Path | None, head: Mapping[str, object], *, writes: bool = True, emit: Sink = ignore
    ) -> None:
        self.path = path
        self.known = Memory()
        self._emit = emit
        self._guard = threading.Lock()
        self._file: Journal | None = None
        if path is None:
            return
        try:
            entries = self._open(path, {"format": 1, **head}) if writes else _read(path, {"format": 1, **head})
        except FileLocked as error:
            raise NotReady(
                "another migration from this source to this target is running",
                where=str(path),
                hint="wait for its end; the same command then goes on where it stopped",
            ) from error
        except OSError as error:
            self.close()
            raise OutputError(
                f"what a migration leaves for the next run cannot be kept here: {error.strerror}",
                where=str(path),
                hint="--state DIR chooses another folder",
            ) from error
        for entry in entries:
            self.known.take(entry)

    def tag(self, name: str, digest: str) -> None:
        """The target holds the tag ``name`` (``repository:tag``) with this digest."""
        if self.known.tags.get(name) != digest:
            self._note({"tag": name, "digest": digest})

    def blob(self, digest: str, repository: str) -> None:
        """The target holds the blob in ``repository``."""
        if digest not in self.known.blobs:
            self._note({"repository": repository, "digest": digest})

    def date(self, digest: str, created: str) -> None:
        """The image says that it was created then; empty where it does not say."""
        self._note({"created": created, "digest": digest})

    def index(self, digest: str, children: Sequence[str]) -> None:
        """The index has these children."""
        if digest not in self.known.children:
            self._note({"children": list(children), "digest": digest})

    def sync(self) -> None:
        """Make what was noted so far survive a power cut."""
        with self._guard:
            if self._file is not None:
                self._try(self._file.sync)

    def close(self) -> None:
        """Release the file."""
        with self._guard:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _note(self, entry: dict[str, Any]) -> None:
        with self._guard:
            self.known.take(entry)
            if self._file is not None:
                self._try(partial(self._file.append, entry))

    def _try(self, write: Callable[[], None]) -> None:
        """A journal that cannot be written any more stops nothing: a warning, and the next run asks the registry."""
        try:
            write()
        except OSError as error:
            assert self._file is not None
            self._file.close()
            self._file = None
            self._emit(Warned(f"{self.path}: cannot be written ({error.strerror}); the next run will ask more"))

    def _open(self, path: Path, head: Mapping[str, object]) -> list[dict[str, Any]]:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = Journal.open(path)
        entries = self._file.entries
        if entries[:1] == [head]:
            return entries[1:]
        self._file.restart(head)
        return []


def _read(path: Path, head: Mapping[str, object]) -> list[dict[str, Any]]:
    try:
        entries = Journal.read(path)
    except FileNotFoundError:
        return []
    return entries[1:] if entries[:1] == [head] else []


def name_for(source: str, target: str) -> str:
    """The journal's file name, one for each pair."""
    return f"migrate-{hashlib.sha256(f'{source} {target}'.encode()).hexdigest()[:24]}"

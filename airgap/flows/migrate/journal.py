# SPDX-License-Identifier: Apache-2.0
"""What a migration has done, for its next run: the same command after a kill, or ``--delta`` weeks later.

An append-only file with one JSON object on each line: a tag that the target has, with its digest; a blob, with a
repository of the target that has it; the date of an image or the children of an index, which never change. It holds
names and digests, and no credentials. A wrong line costs requests only: blobs are only mounted by it, and a registry
that misses a part of a manifest gets that part again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from airgap.durable import FileLocked, Journal
from airgap.errors import NotReady, OutputError
from airgap.events import Sink, Warned, ignore
from airgap.flows.migrate.state import MigrationState
from airgap.i18n import tr


class MigrationJournal:
    """The journal and the state that it describes. Thread-safe.

    Made by :meth:`open` or :meth:`read`. Without a ``file`` nothing is written, and the state ends with the run.
    """

    def __init__(self, file: Journal | None = None, emit: Sink = ignore) -> None:
        self.state = MigrationState()
        self._file = file
        self._emit = emit
        self._guard = threading.Lock()

    @classmethod
    def open(cls, path: Path, head: Mapping[str, object], emit: Sink = ignore) -> MigrationJournal:
        """Open the journal at ``path`` for appending and lock it. One with another ``head`` is replaced.

        Raises :class:`OutputError` if it cannot be written, :class:`NotReady` if another process has it open.
        """
        head = {"format": 1, **head}
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = Journal.open(path)
            journal = cls(file, emit)
            try:
                if file.entries_at_open[:1] != [head]:
                    file.reset(head)
            except BaseException:
                file.close()
                raise
        except FileLocked as error:
            raise NotReady(
                tr("another migration from this source to this target is running"),
                where=str(path),
                hint=tr("wait for its end"),
                again=True,
            ) from error
        except OSError as error:
            raise _unusable(path, error) from error
        for entry in file.entries_at_open[1:]:
            journal.state.apply(entry)
        return journal

    @classmethod
    def read(cls, path: Path, head: Mapping[str, object]) -> MigrationJournal:
        """Read the state in the journal at ``path``, which is not changed. Raises :class:`OutputError`."""
        journal = cls()
        try:
            entries = Journal.read(path)
        except FileNotFoundError:
            return journal
        except OSError as error:
            raise _unusable(path, error) from error
        if entries[:1] == [{"format": 1, **head}]:
            for entry in entries[1:]:
                journal.state.apply(entry)
        return journal

    @property
    def is_open(self) -> bool:
        """Whether the journal has a file that can be written."""
        return self._file is not None

    def add_tag(self, name: str, digest: str) -> None:
        """The target has the tag ``name`` (``repository:tag``) with this digest."""
        if self.state.tags.get(name) != digest:
            self._add({"tag": name, "digest": digest})

    def add_blob(self, digest: str, repository: str) -> None:
        """The target has the blob in ``repository``."""
        if digest not in self.state.blobs:
            self._add({"repository": repository, "digest": digest})

    def add_date(self, digest: str, created: str) -> None:
        """The image's config has this date, or none (empty)."""
        self._add({"created": created, "digest": digest})

    def add_index(self, digest: str, children: Sequence[str]) -> None:
        """The index has these children."""
        if digest not in self.state.children:
            self._add({"children": list(children), "digest": digest})

    def sync(self) -> None:
        """Make all lines written so far survive a power cut."""
        with self._guard:
            if self._file is not None:
                self._try(self._file.sync)

    def close(self) -> None:
        """Close and unlock the file."""
        with self._guard:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _add(self, entry: dict[str, Any]) -> None:
        with self._guard:
            self.state.apply(entry)
            if self._file is not None:
                self._try(partial(self._file.append, entry))

    def _try(self, write: Callable[[], None]) -> None:
        """Write to the file. If that fails, warn, close the file and go on without it."""
        try:
            write()
        except OSError as error:
            assert self._file is not None
            self._emit(
                Warned(
                    tr(
                        "{path}: cannot be written ({strerror}); the next run will ask more",
                        path=self._file.path,
                        strerror=error.strerror,
                    )
                )
            )
            self._file.close()
            self._file = None


def _unusable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        tr("what a migration leaves for the next run cannot be kept here: {strerror}", strerror=error.strerror),
        where=str(path),
        hint=tr("--state DIR chooses another folder"),
    )

# SPDX-License-Identifier: Apache-2.0
"""``NAME.journal`` beside ``NAME.partial``: what an export has done, so that the next one continues there.

The first line says what is being made: the lockfile's content, the bundle's ID and its output format. Then come
``{"blob":DIGEST,"whole":true}`` for a finished blob, ``{"blob":DIGEST,"at":N}`` for the first N bytes of one, and
``{"synced":N}``: the bytes that the first N lines speak of are on the disk. What lines after the last ``synced`` say
is verified by hashing before it is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airgap import durable
from airgap.bundle.inventory import Lock
from airgap.durable import FileLocked, writing
from airgap.errors import AirgapError, OutputError

FORMAT = 1


class Progress:
    """What a journal says was written.

    ``whole`` maps digests of finished blobs to whether they are known to be on the disk. ``reached`` maps digests of
    unfinished blobs to the bytes that were written, ``synced`` to those of them that are known to be on the disk.
    """

    def __init__(self) -> None:
        self.whole: dict[str, bool] = {}
        self.reached: dict[str, int] = {}
        self.synced: dict[str, int] = {}

    def take(self, entries: Iterable[dict[str, Any]], *, on_disk: bool) -> None:
        """Apply lines in order."""
        for entry in entries:
            digest, at = entry.get("blob"), entry.get("at")
            if not isinstance(digest, str):
                continue
            if entry.get("whole"):
                self.whole[digest] = on_disk or self.whole.get(digest, False)
                self.reached.pop(digest, None)
                self.synced.pop(digest, None)
            elif isinstance(at, int):
                # A blob that was whole and is written again: what was said of it no longer holds.
                self.whole.pop(digest, None)
                self.reached[digest] = max(at, 0)
                if on_disk:
                    self.synced[digest] = self.reached[digest]


class ExportJournal:
    """The journal of one bundle, locked for as long as it is open. Thread-safe.

    ``lock``, ``id`` and ``form`` say what is being made; they are empty until :meth:`begin` where there was no
    readable journal. Made by :meth:`open` or :meth:`read`.
    """

    def __init__(self, path: Path, file: durable.Journal | None, entries: list[dict[str, Any]]) -> None:
        self.path = path
        self.lock: Lock | None = None
        self.id = ""
        self.form = ""
        self.progress = Progress()
        self._file = file
        try:
            head, *rest = entries
            if head["format"] == FORMAT:
                lock = Lock.from_bytes(json.dumps(head["lock"]).encode(), where=str(path))
                self.lock, self.id, self.form = lock, str(head["bundle"]), str(head["form"])
                self._load([head, *rest])
        except (ValueError, KeyError, TypeError, AirgapError):
            self.lock = None

    @classmethod
    def open(cls, path: Path, *, create: bool) -> ExportJournal | None:
        """Open and lock the journal at ``path``; ``None`` where there is none and ``create`` is false.

        Raises :class:`OutputError`, also where another export of this bundle is running.
        """
        with writing(path):
            try:
                file = durable.Journal.open(path, create=create, mode=0o644)
            except FileNotFoundError:
                if create:
                    raise
                return None
            except FileLocked as error:
                raise OutputError(
                    "another airgap is writing this bundle",
                    where=str(path),
                    hint="wait until it has ended, or choose another place with -o",
                ) from error
        return cls(path, file, file.entries)

    @classmethod
    def read(cls, path: Path) -> ExportJournal | None:
        """What the journal at ``path`` says, without its lock; ``None`` where it cannot be read."""
        try:
            return cls(path, None, durable.Journal.read(path))
        except OSError:
            return None

    @property
    def has_content(self) -> bool:
        """Whether an earlier run began this journal."""
        return self.lock is not None

    @property
    def lines(self) -> int:
        """How many lines are written, for :meth:`sync`."""
        return self._file.count if self._file is not None else 0

    def begin(self, lock: Lock, identity: str, form: str) -> None:
        """Replace the content with the first line for the bundle ``identity``, durably. Raises :class:`OutputError`."""
        assert self._file is not None
        with writing(self.path):
            self._file.restart(
                {"format": FORMAT, "bundle": identity, "form": form, "lock": json.loads(lock.to_bytes())}
            )
        self.lock, self.id, self.form, self.progress = lock, identity, form, Progress()

    def note(self, digest: str, reached: int) -> None:
        """The first ``reached`` bytes of a blob are written."""
        self._append({"blob": digest, "at": reached})

    def finished(self, digest: str) -> None:
        """A blob is written whole and verified."""
        self._append({"blob": digest, "whole": True})

    def sync(self, lines: int) -> None:
        """Record durably that every byte of which the first ``lines`` lines speak is on the disk."""
        assert self._file is not None
        self._append({"synced": lines})
        with writing(self.path):
            self._file.sync()

    def close(self) -> None:
        """Release the lock and leave the file."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """Delete the file and release the lock."""
        if self._file is not None:
            with writing(self.path):
                self._file.remove()

    def _append(self, entry: dict[str, Any]) -> None:
        assert self._file is not None
        with writing(self.path):
            self._file.append(entry)

    def _load(self, entries: list[dict[str, Any]]) -> None:
        applied = 0
        for entry in entries:
            count = entry.get("synced")
            if isinstance(count, int) and applied < count <= len(entries):
                self.progress.take(entries[applied:count], on_disk=True)
                applied = count
        self.progress.take(entries[applied:], on_disk=False)


def journal_of(path: Path) -> Path:
    """Where the journal of the bundle ``path`` lies."""
    return path.with_name(f"{path.name}.journal")

# SPDX-License-Identifier: Apache-2.0
"""``NAME.journal`` beside ``NAME.partial``: what an export has written, so that the next run can continue it.

The first line identifies the bundle: the lockfile's content, the bundle's ID and its output format. The other lines
are ``{"blob":DIGEST,"whole":true}`` for a finished blob, ``{"blob":DIGEST,"at":N}`` for a blob whose first N bytes are
written, and ``{"synced":N}``: the bytes that the first N lines refer to were synced to the disk. Blobs of lines after
the last ``synced`` are verified by their digest before they are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airgap import durable
from airgap.bundle.lockfile import Lockfile
from airgap.durable import FileLocked, writing
from airgap.errors import AirgapError, OutputError
from airgap.i18n import tr

FORMAT = 1


class RecordedProgress:
    """What a journal says about the blobs.

    ``finished`` are the digests of finished blobs; those also in ``finished_synced`` were synced to the disk.
    ``written`` maps the digests of unfinished blobs to the number of bytes written, ``written_synced`` to the number
    of those that were synced.
    """

    def __init__(self) -> None:
        self.finished: set[str] = set()
        self.finished_synced: set[str] = set()
        self.written: dict[str, int] = {}
        self.written_synced: dict[str, int] = {}

    def apply(self, entries: Iterable[dict[str, Any]], *, synced: bool) -> None:
        """Apply journal lines in order; ``synced`` says whether their bytes were synced to the disk."""
        for entry in entries:
            digest, count = entry.get("blob"), entry.get("at")
            if not isinstance(digest, str):
                continue
            if entry.get("whole"):
                self.finished.add(digest)
                if synced:
                    self.finished_synced.add(digest)
                self.written.pop(digest, None)
                self.written_synced.pop(digest, None)
            elif isinstance(count, int):
                # After a finished blob this line means that the blob is written again.
                self.finished.discard(digest)
                self.finished_synced.discard(digest)
                self.written[digest] = max(count, 0)
                if synced:
                    self.written_synced[digest] = self.written[digest]


class ExportJournal:
    """The journal of one bundle. Made by :meth:`open`, which locks it, or by :meth:`read`. Thread-safe.

    ``lockfile``, ``bundle_id`` and ``output_format`` identify the bundle. They are empty if the file had no valid
    first line, until :meth:`begin` is called.
    """

    def __init__(self, path: Path, file: durable.Journal | None, entries: list[dict[str, Any]]) -> None:
        self.path = path
        self.lockfile: Lockfile | None = None
        self.bundle_id = ""
        self.output_format = ""
        self.progress = RecordedProgress()
        self._file = file
        try:
            head = entries[0]
            if head["format"] == FORMAT:
                lockfile = Lockfile.from_bytes(json.dumps(head["lock"]).encode(), where=str(path))
                self.bundle_id, self.output_format = str(head["bundle"]), str(head["form"])
                self._load_progress(entries)
                self.lockfile = lockfile
        except (ValueError, KeyError, IndexError, TypeError, AirgapError):
            self.lockfile = None

    @classmethod
    def open(cls, path: Path, *, create: bool) -> ExportJournal | None:
        """Open and lock the journal ``path``. Return ``None`` if it does not exist and ``create`` is false.

        Raises :class:`OutputError`, also if another export of this bundle is running.
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
                    tr("another airgap is writing this bundle"),
                    where=str(path),
                    hint=tr("wait until it has ended, or choose another place with -o"),
                ) from error
        return cls(path, file, file.entries_at_open)

    @classmethod
    def read(cls, path: Path) -> ExportJournal | None:
        """Read the journal ``path`` without locking it. Return ``None`` if it cannot be read."""
        try:
            return cls(path, None, durable.Journal.read(path))
        except OSError:
            return None

    @property
    def identifies_bundle(self) -> bool:
        """Whether the file has a valid first line."""
        return self.lockfile is not None

    @property
    def line_count(self) -> int:
        """The number of lines in the file."""
        return self._file.line_count if self._file is not None else 0

    def begin(self, lockfile: Lockfile, bundle_id: str, output_format: str) -> None:
        """Replace the content with a new first line, and sync it. Raises :class:`OutputError`."""
        assert self._file is not None
        with writing(self.path):
            self._file.reset(
                {
                    "format": FORMAT,
                    "bundle": bundle_id,
                    "form": output_format,
                    "lock": json.loads(lockfile.to_bytes()),
                }
            )
        self.lockfile, self.bundle_id, self.output_format = lockfile, bundle_id, output_format
        self.progress = RecordedProgress()

    def record_written(self, digest: str, count: int) -> None:
        """Record that the first ``count`` bytes of a blob are written. Raises :class:`OutputError`."""
        self._append({"blob": digest, "at": count})

    def record_finished(self, digest: str) -> None:
        """Record that a blob is completely written and verified. Raises :class:`OutputError`."""
        self._append({"blob": digest, "whole": True})

    def record_synced(self, line_count: int) -> None:
        """Record that the bytes of the first ``line_count`` lines were synced, and sync the journal itself.

        Raises :class:`OutputError`.
        """
        assert self._file is not None
        self._append({"synced": line_count})
        with writing(self.path):
            self._file.sync()

    def close(self) -> None:
        """Release the lock and keep the file."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """Delete the file and release the lock. Raises :class:`OutputError`."""
        if self._file is not None:
            with writing(self.path):
                self._file.remove()

    def _append(self, entry: dict[str, Any]) -> None:
        assert self._file is not None
        with writing(self.path):
            self._file.append(entry)

    def _load_progress(self, entries: list[dict[str, Any]]) -> None:
        applied = 0
        for entry in entries:
            line_count = entry.get("synced")
            if isinstance(line_count, int) and applied < line_count <= len(entries):
                self.progress.apply(entries[applied:line_count], synced=True)
                applied = line_count
        self.progress.apply(entries[applied:], synced=False)


def journal_path(path: Path) -> Path:
    """Return the path of the journal of the bundle ``path``."""
    return path.with_name(f"{path.name}.journal")

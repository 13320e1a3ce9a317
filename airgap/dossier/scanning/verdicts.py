# SPDX-License-Identifier: Apache-2.0
"""Content that an engine has found nothing in, by digest: during one scan, and for later ones with the same database.

It is a table of SQLite in the state folder, so that its size does not matter for the memory. Only what was scanned
without a finding is kept; the rest is scanned again each time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

from airgap.errors import OutputError
from airgap.i18n import tr

FILE_NAME = "scan-verdicts.sqlite"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS clean (engine TEXT, digest BLOB, files INTEGER, PRIMARY KEY (engine, digest))"
    " WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS used (engine TEXT PRIMARY KEY, number INTEGER)",
)
#: How many engines or databases are remembered: the office's two scanners, and the databases of the last days.
_KEPT = 6


class Verdicts:
    """The clean content of the engine with the key ``engine``; without one, or without a folder, of this scan alone.

    A context manager. Raises :class:`OutputError` for a folder or file that cannot be used.
    """

    def __init__(self, folder: Path | None, engine: str) -> None:
        self._engine, self._lock = engine, threading.Lock()
        self.path = folder / FILE_NAME if folder is not None and engine else None
        #: Content of this scan, which is not counted as seen in an earlier one.
        self._new = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._new.execute("CREATE TABLE clean (digest BLOB PRIMARY KEY, files INTEGER) WITHOUT ROWID")
        self._old: sqlite3.Connection | None = None
        if self.path is not None:
            self._open_kept(self.path)

    def __enter__(self) -> Verdicts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def seen_earlier(self, digest: bytes) -> int:
        """Return how many files an earlier scan found nothing in, with the same engine and database; 0 if none did."""
        if self._old is None:
            return 0
        query = "SELECT files FROM clean WHERE engine = ? AND digest = ?"
        with self._lock:
            row = self._old.execute(query, (self._engine, digest)).fetchone()
        return int(row[0]) if row else 0

    def seen_now(self, digest: bytes) -> bool:
        """Whether this scan found nothing in it."""
        with self._lock:
            return self._new.execute("SELECT 1 FROM clean WHERE digest = ?", (digest,)).fetchone() is not None

    def add(self, digest: bytes, files: int = 1) -> None:
        """Say that nothing was found in the content; of a layer, ``files`` are those in it."""
        with self._lock:
            self._new.execute("INSERT OR IGNORE INTO clean VALUES (?, ?)", (digest, files))

    def keep(self) -> None:
        """Keep the verdicts of this scan for later ones. Raises :class:`OutputError`."""
        if self._old is None:
            return
        assert self.path is not None
        try:
            with self._lock, self._old:
                self._old.execute("BEGIN IMMEDIATE")
                rows = self._new.execute("SELECT ?, digest, files FROM clean", (self._engine,))
                self._old.executemany("INSERT OR IGNORE INTO clean VALUES (?, ?, ?)", rows)
                self._old.execute(
                    "INSERT OR REPLACE INTO used VALUES (?, 1 + coalesce((SELECT max(number) FROM used), 0))",
                    (self._engine,),
                )
                old = "SELECT engine FROM used ORDER BY number DESC LIMIT -1 OFFSET ?"
                self._old.execute(f"DELETE FROM clean WHERE engine IN ({old})", (_KEPT,))
                self._old.execute(f"DELETE FROM used WHERE engine IN ({old})", (_KEPT,))
                self._new.execute("DELETE FROM clean")
        except sqlite3.Error as error:
            raise _unusable(error, self.path) from error

    def close(self) -> None:
        """Close the files."""
        self._new.close()
        if self._old is not None:
            self._old.close()

    def _open_kept(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite would make it readable for others.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._old = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            for statement in _SCHEMA:
                self._old.execute(statement)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise _unusable(error, path) from error


def _unusable(error: Exception, path: Path) -> OutputError:
    return OutputError(
        tr("cannot be used: {error}", error=error),
        where=str(path),
        hint=tr("--state DIR chooses another folder; this file may be removed"),
    )

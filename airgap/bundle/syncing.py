# SPDX-License-Identifier: Apache-2.0
"""Putting on the disk what was written, while more is: by a thread of its own, since a worker that waits for the disk
takes nothing in meanwhile, and where one large layer is left there is no other worker."""

from __future__ import annotations

import threading
import time

from airgap.bundle.journal import ExportJournal
from airgap.bundle.media import Draft
from airgap.errors import AirgapError

#: What was written is synced after so many bytes, or so many seconds: a power cut costs no more.
SYNC_BYTES = 128 * 1024 * 1024
SYNC_SECONDS = 5.0


class Syncing:
    """Thread-safe. One sync is under way at a time; the journal then says of which of its lines all is on the disk."""

    def __init__(self, draft: Draft, journal: ExportJournal) -> None:
        self._draft = draft
        self._journal = journal
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: AirgapError | None = None
        self._unsynced = 0
        self._synced_at = time.monotonic()

    def wrote(self, count: int) -> None:
        """So many more bytes are written; begin to sync where that is due. Raises what an earlier sync met, a disk that
        is full after all say, as :class:`airgap.errors.OutputError`."""
        with self._lock:
            self._check()
            self._unsynced += count
            due = self._unsynced >= SYNC_BYTES or time.monotonic() - self._synced_at >= SYNC_SECONDS
            if not due or (self._thread is not None and self._thread.is_alive()):
                return
            self._unsynced, self._synced_at = 0, time.monotonic()
            # A line is noted when its bytes are written: those that are there now are what this sync makes last.
            self._thread = threading.Thread(
                target=self._run, args=(self._journal.lines,), name="airgap-sync", daemon=True
            )
            self._thread.start()

    def now(self) -> None:
        """Sync here and at once."""
        self._sync(self._journal.lines)

    def end(self) -> None:
        """Wait for the one that is under way, and leave what it met."""
        if self._thread is not None:
            self._thread.join()

    def finish(self) -> None:
        """Wait likewise, and raise what it met."""
        self.end()
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self, lines: int) -> None:
        try:
            self._sync(lines)
        except AirgapError as error:
            self._failure = error

    def _sync(self, lines: int) -> None:
        self._draft.sync()
        self._journal.sync(lines)

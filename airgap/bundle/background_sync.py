# SPDX-License-Identifier: Apache-2.0
"""Syncs an unfinished bundle to the disk in a background thread while workers write to it.

A worker that waited for the disk would receive nothing in the meantime, and for the last large layer there is only one
worker.
"""

from __future__ import annotations

import threading
import time

from airgap.bundle.journal import ExportJournal
from airgap.bundle.media import Draft
from airgap.errors import AirgapError

#: A sync starts after this many bytes or seconds. A power cut loses at most what was written since the last one.
SYNC_BYTES = 128 * 1024 * 1024
SYNC_SECONDS = 5.0


class BackgroundSync:
    """Syncs ``draft`` and records in ``journal`` which of its lines were synced. Thread-safe; one sync at a time."""

    def __init__(self, draft: Draft, journal: ExportJournal) -> None:
        self._draft = draft
        self._journal = journal
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: AirgapError | None = None
        self._unsynced = 0
        self._synced_at = time.monotonic()

    def add_written(self, count: int) -> None:
        """Count ``count`` more bytes as written, and start a sync if one is due.

        Raises the :class:`airgap.errors.OutputError` of an earlier sync, such as that of a full disk.
        """
        with self._lock:
            self._raise_failure()
            self._unsynced += count
            due = self._unsynced >= SYNC_BYTES or time.monotonic() - self._synced_at >= SYNC_SECONDS
            if not due or (self._thread is not None and self._thread.is_alive()):
                return
            self._unsynced, self._synced_at = 0, time.monotonic()
            # A journal line is written after its bytes, so this sync covers all lines that exist now.
            self._thread = threading.Thread(
                target=self._run, args=(self._journal.line_count,), name="airgap-sync", daemon=True
            )
            self._thread.start()

    def sync_now(self) -> None:
        """Sync in the calling thread. Raises :class:`airgap.errors.OutputError`."""
        self._sync(self._journal.line_count)

    def wait(self) -> None:
        """Wait for the current sync and ignore its failure."""
        if self._thread is not None:
            self._thread.join()

    def finish(self) -> None:
        """Wait for the current sync and raise its failure."""
        self.wait()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self, line_count: int) -> None:
        try:
            self._sync(line_count)
        except AirgapError as error:
            self._failure = error

    def _sync(self, line_count: int) -> None:
        self._draft.sync()
        self._journal.record_synced(line_count)

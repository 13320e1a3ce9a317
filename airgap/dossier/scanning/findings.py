# SPDX-License-Identifier: Apache-2.0
"""Collects what a scan finds, from several threads."""

from __future__ import annotations

import heapq
import json
import threading
from collections import Counter
from typing import TextIO

from airgap.dossier.scanning.engine import EngineIdentity
from airgap.dossier.scanning.result import MOST_LISTED, ScannedFile, ScanResult


class _Smallest:
    """The first entries in their order, and how many there were in all."""

    def __init__(self) -> None:
        self.count = 0
        self._entries: list[ScannedFile] = []

    def add(self, entry: ScannedFile) -> None:
        self.count += 1
        self._entries.append(entry)
        if len(self._entries) >= 2 * MOST_LISTED:
            self._entries = heapq.nsmallest(MOST_LISTED, self._entries)

    def entries(self) -> tuple[ScannedFile, ...]:
        return tuple(heapq.nsmallest(MOST_LISTED, self._entries))


class Findings:
    """What was found and what was not scanned, and the number of files of each place that were scanned.

    ``listing`` gets the verdict on each file as a line of JSON.
    """

    def __init__(self, listing: TextIO | None = None) -> None:
        self._lock = threading.Lock()
        self._listing = listing
        self.lists_all = listing is not None
        self._found, self._not_scanned = _Smallest(), _Smallest()
        self._problems: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        self.bytes = self.reused = 0

    def add_clean(self, file: ScannedFile, *, reused: bool = False) -> None:
        """Add a file in which nothing was found, perhaps in an earlier scan."""
        with self._lock:
            self._count(file, "clean")
            self.reused += reused

    def add_found(self, file: ScannedFile) -> None:
        """Add a file in which something was found."""
        with self._lock:
            self._count(file, "found")
            self._found.add(file)
            self._problems[file.place] += 1

    def add_not_scanned(self, file: ScannedFile) -> None:
        """Add a file that was not scanned."""
        with self._lock:
            self._list(file, "not-scanned")
            self._not_scanned.add(file)
            self._problems[file.place] += 1

    def add_layer(self, place: str, files: int) -> None:
        """Add a layer in whose files an earlier scan found nothing."""
        with self._lock:
            self.files[place] += files
            self.reused += files

    def _count(self, file: ScannedFile, verdict: str) -> None:
        self.files[file.place] += 1
        self.bytes += file.size
        self._list(file, verdict)

    def _list(self, file: ScannedFile, verdict: str) -> None:
        if self._listing is not None:
            line = {"place": file.place, "file": file.file, "digest": file.digest or None, "verdict": verdict}
            self._listing.write(
                json.dumps(line | ({"what": file.what} if file.what else {}), ensure_ascii=False) + "\n"
            )

    def is_clean(self, place: str) -> bool:
        """Whether everything in a place was scanned, and nothing found."""
        return not self._problems[place]

    def result(self, bundle: str, engine: EngineIdentity, users: dict[str, tuple[str, ...]]) -> ScanResult:
        """Return the result, once all is scanned."""
        return ScanResult(
            bundle, engine, sum(self.files.values()), self.bytes, self.reused, self._found.entries(),
            self._not_scanned.entries(), self._found.count, self._not_scanned.count, users,
        )  # fmt: skip

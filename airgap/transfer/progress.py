# SPDX-License-Identifier: Apache-2.0
"""Readers that report how far a blob is, and that stop when the run is cancelled."""

from __future__ import annotations

from collections.abc import Callable

from airgap.events import BlobProgress, BlobResumed, Sink
from airgap.oci import Descriptor
from airgap.records import Record
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import FileRange
from airgap.transfer.pool import CancelToken


class Meter(Record, frozen=False):
    """Opens the readers of one blob for one push.

    ``resumed_bytes`` precede the offset at which the first reader is opened: an earlier run moved them. Where the push
    later starts further back, the difference counts as moved after all.
    """

    descriptor: Descriptor
    opener: Opener
    emit: Sink
    cancel: CancelToken
    resumed_bytes: int = 0
    #: Where the current reader is; -1 before the first one is opened.
    _position: int = -1

    def open(self, offset: int) -> Reader:
        """Open the blob at ``offset`` and report what that means for the progress so far."""
        self.cancel.check()
        digest = self.descriptor.digest
        first = self._position < 0
        moved = 0 if first else self._position - self.resumed_bytes
        resumed_bytes = offset if first else min(self.resumed_bytes, offset)
        if resumed_bytes != self.resumed_bytes:
            self.emit(BlobResumed(digest, resumed_bytes - self.resumed_bytes))
        if offset - resumed_bytes != moved:
            self.emit(BlobProgress(digest, offset - resumed_bytes - moved))
        self.resumed_bytes, self._position = resumed_bytes, offset
        reader = self.opener(offset)
        if isinstance(reader, FileRange):
            reader.observe = self._moved
            return reader
        return _MeteredReader(reader, self._moved)

    def _moved(self, count: int) -> None:
        self.cancel.check()
        self._position += count
        self.emit(BlobProgress(self.descriptor.digest, count))


class _MeteredReader:
    def __init__(self, reader: Reader, moved: Callable[[int], None]) -> None:
        self._reader = reader
        self._moved = moved

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._reader.readinto(buffer)
        if count:
            self._moved(count)
        return count

    def close(self) -> None:
        self._reader.close()

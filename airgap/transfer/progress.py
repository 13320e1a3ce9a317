# SPDX-License-Identifier: Apache-2.0
"""Readers that tell how far a blob is, and that notice Ctrl-C. Refuses nothing itself."""

from __future__ import annotations

from collections.abc import Callable

from airgap.events import BlobProgress, BlobResumed, Sink
from airgap.oci import Descriptor
from airgap.records import Record
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import FileRange
from airgap.transfer.pool import Stop


class Meter(Record, frozen=False):
    """Opens a blob's readers for one push. Where the first is opened behind the beginning, what lies before is
    ``there`` from an earlier run; it moves after all if the push begins further back later."""

    descriptor: Descriptor
    opener: Opener
    emit: Sink
    stop: Stop
    there: int = 0
    _position: int = -1

    def open(self, offset: int) -> Reader:
        self.stop.check()
        digest = self.descriptor.digest
        begun = self._position >= 0
        moved = self._position - self.there if begun else 0
        there = min(self.there, offset) if begun else offset
        if there != self.there:
            self.emit(BlobResumed(digest, there - self.there))
        if offset - there != moved:
            self.emit(BlobProgress(digest, offset - there - moved))
        self.there, self._position = there, offset
        reader = self.opener(offset)
        if isinstance(reader, FileRange):
            reader.observe = self._moved
            return reader
        return _Metered(reader, self._moved)

    def _moved(self, count: int) -> None:
        self.stop.check()
        self._position += count
        self.emit(BlobProgress(self.descriptor.digest, count))


class _Metered:
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

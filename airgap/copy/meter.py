# SPDX-License-Identifier: Apache-2.0
"""Counts what is read of a blob while it moves, whoever reads it and however often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airgap.copy.workers import Stop
from airgap.events import BlobProgress, Sink
from airgap.oci import Descriptor
from airgap.store.base import FileRange, Opener, Reader


@dataclass
class Meter:
    """Opens a blob's readers so that each piece that moves is told and Ctrl-C is noticed."""

    descriptor: Descriptor
    opener: Opener
    emit: Sink
    stop: Stop
    done: int = 0
    #: Where the taker began: beyond 0 it had the rest from an earlier run.
    begun: int = -1

    def open(self, offset: int) -> Reader:
        self.stop.check()
        if self.begun < 0:
            self.begun = offset
        if self.done != offset:
            self.emit(BlobProgress(self.descriptor.digest, offset - self.done))
            self.done = offset
        reader = self.opener(offset)
        if isinstance(reader, FileRange):
            reader.observe = self._moved
            return reader
        return _Metered(reader, self._moved)

    def _moved(self, count: int) -> None:
        self.stop.check()
        self.done += count
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

# SPDX-License-Identifier: Apache-2.0
"""``.tar.zst`` being written: in order, a frame a piece, none across two members, so that an interrupted one can go on
at the start of any blob, and the same bundle has the same bytes."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airgap.bundle.media.base import check_gap
from airgap.bundle.media.file import begin_partial, partial_of, reopen_partial
from airgap.bundle.media.frame_table import FrameTable
from airgap.bundle.media.frames import FRAME, FramesMedium, raw_frame, walk
from airgap.bundle.media.zstd import library
from airgap.durable import publish, write_at, writing
from airgap.durable.files import output_error
from airgap.errors import BundleError

LEVEL = 3
#: A first frame that shrinks by less tells that a blob is compressed already: then none of it is tried again.
_WORTH = 0.97


class FrameDraft:
    """``starts`` are the offsets at which a frame must begin, ascending; ``size`` is the tar's."""

    ordered = True

    def __init__(self, path: Path, size: int, starts: Sequence[int], *, resume: bool = False) -> None:
        zstandard = library()

        self.path = path
        self._size = size
        self._starts = [*starts, size]
        self._start_set = frozenset(self._starts)
        self._compressor: Any = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)
        self._buffer = memoryview(bytearray(FRAME))
        self._filled = 0
        self._table = FrameTable()
        self._reader: FramesMedium | None = None
        fd = reopen_partial(path, None, trusted=True) if resume else None
        self._fd = fd if fd is not None else begin_partial(path)
        with writing(path):
            if fd is not None:
                self._table = walk(fd, os.fstat(fd).st_size)
            os.ftruncate(self._fd, self._table.packed_size)
        self._shrinks = self._shrank()

    def write(self, piece: memoryview, offset: int) -> None:
        """What lies before the end of what is written was written before, and is the same."""
        if offset + len(piece) <= self._reached:
            return
        if offset < self._reached:
            piece, offset = piece[self._reached - offset :], self._reached
        self._fill(offset)
        while piece:
            part = piece[: self._boundary() - self._reached]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            piece = piece[len(part) :]
            if self._reached == self._boundary():
                self._flush()

    def read(self, count: int, offset: int) -> bytes:
        if self._reader is None:
            self._reader = FramesMedium(str(self.path), self._fd, self._table)
        try:
            return self._reader.pread(min(count, max(0, self._position - offset)), offset)
        except BundleError as error:
            if isinstance(error.__cause__, OSError):
                raise output_error(error.__cause__, self.path) from error
            return b""  # a frame of an earlier run that a power cut left damaged

    def cut(self, offset: int) -> int:
        if offset >= self._position:
            self._filled = min(self._filled, offset - self._position)
            return self._reached
        self._filled = 0
        while self._position > offset:
            self._table.pop()
        if self._reader is not None:
            self._reader.forget()
        self._shrinks = self._shrank()
        with writing(self.path):
            os.ftruncate(self._fd, self._table.packed_size)
        return self._position

    def sync(self) -> None:
        with writing(self.path):
            os.fdatasync(self._fd)

    def finish(self) -> None:
        self._fill(self._size)
        if self._filled:
            self._flush()
        with writing(self.path):
            write_at(self._fd, memoryview(self._table.seek_table()), self._table.packed_size)
            publish(self._fd, partial_of(self.path), self.path)
        self.keep()

    def keep(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def discard(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                partial_of(self.path).unlink()
            self.keep()

    @property
    def _position(self) -> int:
        """Bytes of the tar in whole frames."""
        return self._table.raw_size

    @property
    def _reached(self) -> int:
        return self._position + self._filled

    def _boundary(self) -> int:
        """Where the frame that is being filled ends."""
        following = self._starts[bisect_right(self._starts, self._position)]
        return min(following, self._position + FRAME)

    def _fill(self, offset: int) -> None:
        check_gap(offset - self._reached)
        zeros = bytes(min(FRAME, max(0, offset - self._reached)))
        while self._reached < offset:
            self.write(memoryview(zeros)[: offset - self._reached], self._reached)

    def _shrank(self) -> bool:
        """Whether the blob in the middle of which we are is worth compressing: its first frame tells."""
        start = self._starts[max(0, bisect_right(self._starts, self._position) - 1)]
        if start >= self._position:
            return True
        first = self._table.at(start)
        if self._table.raw_range(first)[0] < start:
            return True
        return self._table.packed_range(first)[1] <= self._table.raw_range(first)[1]

    def _flush(self) -> None:
        piece, first = self._buffer[: self._filled], self._position in self._start_set
        frame: bytes = self._compressor.compress(piece) if first or self._shrinks else b""
        shrinks = 0 < len(frame) <= len(piece) * _WORTH
        if first:
            self._shrinks = shrinks
        if not shrinks:
            frame = raw_frame(piece)
        with writing(self.path):
            write_at(self._fd, memoryview(frame), self._table.packed_size)
        self._table.append(len(frame), len(piece))
        self._filled = 0

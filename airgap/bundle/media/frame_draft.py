# SPDX-License-Identifier: Apache-2.0
"""Writing a ``.tar.zst``, in order, as zstd frames of at most 2 MiB of content.

A frame never holds bytes of two blobs. So an interrupted file can be continued at the start of any blob, and the same
bundle always has the same bytes.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airgap.bundle.media.base import check_gap
from airgap.bundle.media.file import create_partial, partial_path, reopen_partial
from airgap.bundle.media.frame_table import FrameTable
from airgap.bundle.media.frames import FRAME_SIZE, FramesMedium, raw_frame, scan_frames
from airgap.bundle.media.zstd import load_zstandard
from airgap.durable import publish, write_at, writing
from airgap.durable.files import output_error
from airgap.errors import BundleError
from airgap.system import sync_data

LEVEL = 3
#: Where the first frame of a blob shrinks to more than this share, the rest of the blob is stored uncompressed.
_WORTH_COMPRESSING = 0.97


class FrameDraft:
    """An unfinished ``.tar.zst``. Made by :meth:`begin` or :meth:`resume`; methods as in :class:`Draft`.

    ``size`` is the size of the tar. ``starts`` are the offsets at which a frame must begin, ascending. ``table``
    describes the frames that the file already has.
    """

    ordered = True

    def __init__(
        self, path: Path, fd: int, size: int, starts: Sequence[int], table: FrameTable, compressor: Any
    ) -> None:
        self.path = path
        self._fd = fd
        self._size = size
        self._starts = [*starts, size]
        self._start_set = frozenset(self._starts)
        self._compressor = compressor
        #: The content of the frame that is being filled: the first ``_filled`` bytes of the buffer.
        self._buffer = memoryview(bytearray(FRAME_SIZE))
        self._filled = 0
        self._table = table
        self._reader: FramesMedium | None = None
        self._compressing = self._worth_compressing()

    @classmethod
    def begin(cls, path: Path, size: int, starts: Sequence[int]) -> FrameDraft:
        """Create an empty partial file. Raises :class:`OutputError`, or what :func:`load_zstandard` raises."""
        compressor = _new_compressor()
        return cls._open(path, create_partial(path), size, starts, FrameTable(), compressor)

    @classmethod
    def resume(cls, path: Path, size: int, starts: Sequence[int]) -> FrameDraft | None:
        """Reopen the partial file of an earlier run after its last complete frame; ``None`` where there is no file."""
        compressor = _new_compressor()
        fd = reopen_partial(path, None, trusted=True)
        if fd is None:
            return None
        with writing(path):
            table = scan_frames(fd, os.fstat(fd).st_size)
        return cls._open(path, fd, size, starts, table, compressor)

    @classmethod
    def _open(
        cls, path: Path, fd: int, size: int, starts: Sequence[int], table: FrameTable, compressor: Any
    ) -> FrameDraft:
        with writing(path):
            os.ftruncate(fd, table.packed_size)
        return cls(path, fd, size, starts, table, compressor)

    def write(self, piece: memoryview, offset: int) -> None:
        """Write ``piece`` at ``offset``. Bytes before the end of what was written are the same again and skipped."""
        if offset + len(piece) <= self._end:
            return
        if offset < self._end:
            piece, offset = piece[self._end - offset :], self._end
        self._fill_with_zeros(offset)
        while piece:
            part = piece[: self._frame_end() - self._end]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            piece = piece[len(part) :]
            if self._end == self._frame_end():
                self._write_frame()

    def read(self, count: int, offset: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``; none from a frame that a power cut damaged."""
        if self._reader is None:
            self._reader = FramesMedium(str(self.path), self._fd, self._table)
        try:
            return self._reader.pread(min(count, max(0, self._framed - offset)), offset)
        except BundleError as error:
            if isinstance(error.__cause__, OSError):
                raise output_error(error.__cause__, self.path) from error
            return b""

    def rewind(self, offset: int) -> int:
        """Remove the frames from the one that holds ``offset`` on, and return where the last remaining one ends."""
        if offset >= self._framed:
            self._filled = min(self._filled, offset - self._framed)
            return self._end
        self._filled = 0
        while self._framed > offset:
            self._table.pop()
        if self._reader is not None:
            self._reader.clear_cache()
        self._compressing = self._worth_compressing()
        with writing(self.path):
            os.ftruncate(self._fd, self._table.packed_size)
        return self._framed

    def sync(self) -> None:
        """Make all complete frames survive a power cut."""
        with writing(self.path):
            sync_data(self._fd)

    def finish(self) -> None:
        """Write the last frame and the seek table, sync the file and rename it to its final name."""
        self._fill_with_zeros(self._size)
        if self._filled:
            self._write_frame()
        with writing(self.path):
            write_at(self._fd, memoryview(self._table.seek_table()), self._table.packed_size)
            publish(self._fd, partial_path(self.path), self.path)
        self.keep()

    def keep(self) -> None:
        """Close the file and leave it for the next run."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def discard(self) -> None:
        """Delete and close the file."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                partial_path(self.path).unlink()
            self.keep()

    @property
    def _framed(self) -> int:
        """How many bytes of the tar are in complete frames."""
        return self._table.raw_size

    @property
    def _end(self) -> int:
        """How many bytes of the tar were written, those in the buffer included."""
        return self._framed + self._filled

    def _frame_end(self) -> int:
        """Return the offset at which the frame that is being filled must end."""
        next_start = self._starts[bisect_right(self._starts, self._framed)]
        return min(next_start, self._framed + FRAME_SIZE)

    def _fill_with_zeros(self, offset: int) -> None:
        """Write zeros up to ``offset``."""
        check_gap(offset - self._end)
        zeros = bytes(min(FRAME_SIZE, max(0, offset - self._end)))
        while self._end < offset:
            self.write(memoryview(zeros)[: offset - self._end], self._end)

    def _worth_compressing(self) -> bool:
        """Whether the first frame of the blob that continues at the end of the file shrank.

        True at the start of a blob, whose first frame is always tried.
        """
        start = self._starts[max(0, bisect_right(self._starts, self._framed) - 1)]
        if start >= self._framed:
            return True
        first_frame = self._table.frame_at(start)
        if self._table.raw_range(first_frame)[0] < start:
            return True
        return self._table.packed_range(first_frame)[1] <= self._table.raw_range(first_frame)[1]

    def _write_frame(self) -> None:
        """Write the buffer as a frame, compressed if that is worth it."""
        piece, is_first = self._buffer[: self._filled], self._framed in self._start_set
        frame: bytes = self._compressor.compress(piece) if is_first or self._compressing else b""
        shrank = 0 < len(frame) <= len(piece) * _WORTH_COMPRESSING
        if is_first:
            self._compressing = shrank
        if not shrank:
            frame = raw_frame(piece)
        with writing(self.path):
            write_at(self._fd, memoryview(frame), self._table.packed_size)
        self._table.append(len(frame), len(piece))
        self._filled = 0


def _new_compressor() -> Any:
    return load_zstandard().ZstdCompressor(level=LEVEL, write_content_size=True)

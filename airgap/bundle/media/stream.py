# SPDX-License-Identifier: Apache-2.0
"""A tar that comes from or goes into a pipe: bytes pass once.

Coming, the small things that stand first are kept, and of the blob that is being read what has passed of it, so
that its push can start again; nothing else is stored. Going, it is written in order and cannot be gone on with.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from airgap.bundle.media.base import check_gap, translate_read_errors
from airgap.bundle.media.zstd import library
from airgap.durable.files import output_error
from airgap.errors import BundleError, ContentMissing, OutputError
from airgap.store.protocols import Reader
from airgap.store.readers import BUFFER_SIZE

#: What is kept stays in memory up to here, then goes to a temporary file without a name.
_IN_MEMORY = 8 * 1024 * 1024

Pull = Callable[[memoryview], int]
"""Fills a buffer from the pipe; 0 at its end."""


class PipeMedium:
    """``pull`` gives the tar's bytes. Until :meth:`pass_by` is called everything that is read is kept."""

    size: int | None = None
    ordered = True

    def __init__(self, where: str, pull: Pull, close: Callable[[], None] = lambda: None) -> None:
        self.where = where
        self._pull = pull
        self._close = close
        self._position = 0
        self._kept = _spool()
        #: Up to here everything is kept, from the tar's start on.
        self._kept_to: int | None = None
        self._window = _spool()
        self._window_start = 0

    def pread(self, count: int, offset: int) -> bytes:
        if self._kept_to is None or offset + count <= self._kept_to:
            self._read_to(offset + count, self._kept)
            return _read_again(self._kept, count, offset)
        if offset >= self._position:
            self._begin_window(offset)
        self._read_to(offset + count, self._window)
        return self._again(count, offset)

    def pass_by(self, offset: int) -> None:
        """Keep everything up to ``offset``, and from there on only the blob that is being read."""
        self._read_to(offset, self._kept)
        self._kept_to = self._window_start = self._position

    def open(self, offset: int, length: int) -> Reader:
        if self._kept_to is not None and offset >= self._position:
            self._begin_window(offset)
        return _Passing(self, offset, length)

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """What stands at ``offset``: again if it has passed and is kept, else from the pipe, keeping it."""
        if self._kept_to is None or offset < self._position:
            piece = self.pread(len(buffer), offset)
            buffer[: len(piece)] = piece
            return len(piece)
        with translate_read_errors(self.where, self._position):
            count = self._pull(buffer)
        _append(self._window, buffer[:count])
        self._position += count
        return count

    def expect(self, total: int) -> None:
        """Only the end will tell."""

    def finish(self, size: int) -> None:
        """Read to the end, so that whoever writes the pipe is not cut off. Raises where it ends before ``size``."""
        if self._position < size:
            self._read_to(size, None)
        if self._position < size:
            raise BundleError(f"cut short: it ended after {self._position:,} of {size:,} bytes", where=self.where)
        buffer = memoryview(bytearray(BUFFER_SIZE))
        with translate_read_errors(self.where, size):
            while self._pull(buffer):
                pass

    def files_of(self, offset: int, length: int) -> Sequence[str]:
        return (self.where,)

    def close(self) -> None:
        for spool in (self._kept, self._window):
            # Closing writes what is still to be written, and a disk that was full still is.
            with contextlib.suppress(OSError):
                spool.close()
        self._close()

    def _begin_window(self, offset: int) -> None:
        with _keeping():
            self._window.seek(0)
            self._window.truncate()
        self._read_to(offset, None)
        self._window_start = self._position

    def _again(self, count: int, offset: int) -> bytes:
        if self._kept_to is not None and offset < self._kept_to:
            return _read_again(self._kept, min(count, self._kept_to - offset), offset)
        if offset < self._window_start:
            raise ContentMissing(
                "these bytes have passed through the pipe already",
                where=self.where,
                hint="import the bundle from a file instead",
            )
        return _read_again(self._window, count, offset - self._window_start)

    def _read_to(self, offset: int, into: IO[bytes] | None) -> None:
        """Read on until ``offset``, or the pipe's end."""
        if self._position >= offset:
            return
        buffer = memoryview(bytearray(min(BUFFER_SIZE, offset - self._position)))
        while self._position < offset:
            with translate_read_errors(self.where, self._position):
                count = self._pull(buffer[: offset - self._position])
            if not count:
                return
            if into is not None:
                _append(into, buffer[:count])
            self._position += count


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # closed with the medium


def _append(spool: IO[bytes], piece: memoryview) -> None:
    with _keeping():
        spool.seek(0, os.SEEK_END)
        spool.write(piece)
        spool.flush()


def _read_again(spool: IO[bytes], count: int, offset: int) -> bytes:
    with _keeping():
        spool.seek(offset)
        return spool.read(count)


@contextlib.contextmanager
def _keeping() -> Iterator[None]:
    """Raise what the temporary file meets as :class:`OutputError`: neither the pipe nor the network failed."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"what has passed through the pipe cannot be kept in a temporary file: {error.strerror or error}",
            where=tempfile.tempdir,
            hint="set TMPDIR to a folder with more space, or import the bundle from a file",
        ) from error


class _Passing:
    def __init__(self, medium: PipeMedium, offset: int, length: int) -> None:
        self._medium = medium
        self._offset = offset
        self._left = length

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._left:
            return 0
        count = self._medium.readinto(buffer[: min(len(buffer), self._left)], self._offset)
        if not count:
            raise BundleError(f"cut short: {self._left} bytes are missing", where=self._medium.where)
        self._offset += count
        self._left -= count
        return count

    def close(self) -> None:
        """The pipe stays open."""


def pipe_of(fd: int, where: str) -> PipeMedium:
    """A pipe of a tar, plain or compressed with zstd."""
    with translate_read_errors(where, 0):
        first = _read_first(fd)
    pull = _after(first, lambda buffer: os.readv(fd, [buffer]))
    if first.startswith(b"\x28\xb5\x2f\xfd"):
        pull = unpacked(pull, where)
    return PipeMedium(where, pull)


def unpacked(pull: Pull, where: str) -> Pull:
    """What a zstd stream holds, of however many frames."""
    zstandard = library()

    class Raw:
        def read(self, count: int) -> bytes:
            buffer = memoryview(bytearray(count))
            return bytes(buffer[: pull(buffer)])

    tool = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    stream = tool.stream_reader(Raw(), read_size=BUFFER_SIZE, read_across_frames=True)

    def decompressed(buffer: memoryview) -> int:
        try:
            count: int = stream.readinto(buffer)
        except zstandard.ZstdError as error:
            hint = "copy the bundle once more from the other side"
            raise BundleError(f"damaged: zstd cannot unpack it ({error})", where=where, hint=hint) from error
        return count

    return decompressed


def _read_first(fd: int) -> bytes:
    first = b""
    while len(first) < 4:
        part = os.read(fd, 4 - len(first))
        if not part:
            break
        first += part
    return first


def _after(first: bytes, pull: Pull) -> Pull:
    rest = first

    def both(buffer: memoryview) -> int:
        nonlocal rest
        if rest:
            count = min(len(rest), len(buffer))
            buffer[:count], rest = rest[:count], rest[count:]
            return count
        return pull(buffer)

    return both


class StreamDraft:
    """``fd`` takes ``size`` bytes of a tar in order."""

    ordered = True

    def __init__(self, fd: int, size: int, where: str = "standard output") -> None:
        self.path = Path(where)
        self._fd = fd
        self._size = size
        self._position = 0

    def write(self, piece: memoryview, offset: int) -> None:
        self._fill(offset)
        self._put(piece)

    def read(self, count: int, offset: int) -> bytes:
        return b""

    def cut(self, offset: int) -> int:
        if offset < self._position:
            raise OutputError(
                "what was written to a pipe cannot be taken back", where=str(self.path), hint="run the command again"
            )
        return offset

    def sync(self) -> None:
        """A pipe keeps nothing."""

    def finish(self) -> None:
        self._fill(self._size)

    def keep(self) -> None:
        """A pipe keeps nothing."""

    def discard(self) -> None:
        """A pipe takes nothing back."""

    def _fill(self, offset: int) -> None:
        check_gap(offset - self._position)
        zeros = bytes(min(BUFFER_SIZE, max(0, offset - self._position)))
        while self._position < offset:
            self._put(memoryview(zeros)[: offset - self._position])

    def _put(self, piece: memoryview) -> None:
        try:
            while piece:
                count = os.write(self._fd, piece)
                self._position += count
                piece = piece[count:]
        except BrokenPipeError as error:
            hint = "run the command again"
            raise OutputError("whoever read it has ended", where=str(self.path), hint=hint) from error
        except OSError as error:
            raise output_error(error, self.path) from error

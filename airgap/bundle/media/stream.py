# SPDX-License-Identifier: Apache-2.0
"""A tar that is read from a pipe or written to one: every byte passes once.

While reading, the manifests and configs at the start are kept, and so is the part of the current blob that was read,
so that an upload of it can be repeated. Nothing else is stored. An interrupted write to a pipe cannot be resumed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from airgap.bundle.media.base import check_gap
from airgap.bundle.media.zstd import MAGIC, load_zstandard
from airgap.durable.files import output_error
from airgap.errors import BundleError, ContentMissing, OutputError
from airgap.i18n import tr
from airgap.store.protocols import Reader
from airgap.store.readers import BUFFER_SIZE, translate_read_errors

#: Kept bytes stay in memory up to this size; beyond it they go to an unnamed temporary file.
_IN_MEMORY = 8 * 1024 * 1024

Pull = Callable[[memoryview], int]
"""Reads the next bytes of a pipe into a buffer and returns their number, 0 at the end."""


class PipeMedium:
    """A tar that ``pull`` returns piece by piece. Everything is kept until :meth:`stop_keeping` is called."""

    size: int | None = None
    ordered = True

    def __init__(self, where: str, pull: Pull, close: Callable[[], None] = lambda: None) -> None:
        self.where = where
        self._pull = pull
        self._close = close
        #: How many bytes of the tar were read from the pipe.
        self._position = 0
        #: The start of the tar, up to ``_head_end``; all of it so far while that is ``None``.
        self._head = _new_spool()
        self._head_end: int | None = None
        #: The part of the current blob that was read, from ``_window_start`` on.
        self._window = _new_spool()
        self._window_start = 0

    def pread(self, count: int, offset: int) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the tar ends.

        Raises :class:`ContentMissing` for bytes that passed and were not kept, :class:`BundleError` where the pipe
        cannot be read, :class:`OutputError` where the temporary file fails.
        """
        if self._head_end is None or offset + count <= self._head_end:
            self._read_to(offset + count, self._head)
            return _read_kept(self._head, count, offset)
        if offset >= self._position:
            self._begin_window(offset)
        self._read_to(offset + count, self._window)
        return self._read_again(count, offset)

    def stop_keeping(self, offset: int) -> None:
        """Keep everything up to ``offset``; after it keep only the blob that is being read."""
        self._read_to(offset, self._head)
        self._head_end = self._window_start = self._position

    def open_range(self, offset: int, length: int) -> Reader:
        """Open a reader; opening one beyond the current position forgets the blob that was read before."""
        if self._head_end is not None and offset >= self._position:
            self._begin_window(offset)
        return _PipeReader(self, offset, length)

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` with the bytes at ``offset`` and return their number, 0 at the end.

        They come from what was kept, or from the pipe, and are then kept.
        """
        if self._head_end is None or offset < self._position:
            piece = self.pread(len(buffer), offset)
            buffer[: len(piece)] = piece
            return len(piece)
        with translate_read_errors(self.where, self._position):
            count = self._pull(buffer)
        _append(self._window, buffer[:count])
        self._position += count
        return count

    def expect_size(self, total: int) -> None:
        """Do nothing: the size of the tar is known only at the end of the pipe."""

    def finish(self, size: int) -> None:
        """Read the pipe to its end, so that the program that writes it can end.

        Raises :class:`BundleError` where it ends before ``size`` bytes.
        """
        if self._position < size:
            self._read_to(size, None)
        if self._position < size:
            raise BundleError(
                tr("cut short: it ended after {position:,} of {size:,} bytes", position=self._position, size=size),
                where=self.where,
            )
        buffer = memoryview(bytearray(BUFFER_SIZE))
        with translate_read_errors(self.where, size):
            while self._pull(buffer):
                pass

    def files_at(self, offset: int, length: int) -> Sequence[str]:
        """Return the name of the pipe."""
        return (self.where,)

    def close(self) -> None:
        """Delete what was kept."""
        for spool in (self._head, self._window):
            # Closing flushes, which fails again if the disk was full.
            with contextlib.suppress(OSError):
                spool.close()
        self._close()

    def _begin_window(self, offset: int) -> None:
        """Skip to ``offset`` and begin to keep the blob there."""
        with _spool_errors():
            self._window.seek(0)
            self._window.truncate()
        self._read_to(offset, None)
        self._window_start = self._position

    def _read_again(self, count: int, offset: int) -> bytes:
        if self._head_end is not None and offset < self._head_end:
            return _read_kept(self._head, min(count, self._head_end - offset), offset)
        if offset < self._window_start:
            raise ContentMissing(
                tr("these bytes have passed through the pipe already"),
                where=self.where,
                hint=tr("import the bundle from a file instead"),
            )
        return _read_kept(self._window, count, offset - self._window_start)

    def _read_to(self, offset: int, spool: IO[bytes] | None) -> None:
        """Read the pipe up to ``offset`` or its end, and append what is read to ``spool``."""
        if self._position >= offset:
            return
        buffer = memoryview(bytearray(min(BUFFER_SIZE, offset - self._position)))
        while self._position < offset:
            with translate_read_errors(self.where, self._position):
                count = self._pull(buffer[: offset - self._position])
            if not count:
                return
            if spool is not None:
                _append(spool, buffer[:count])
            self._position += count


def _new_spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)


def _append(spool: IO[bytes], piece: memoryview) -> None:
    with _spool_errors():
        spool.seek(0, os.SEEK_END)
        spool.write(piece)
        spool.flush()


def _read_kept(spool: IO[bytes], count: int, offset: int) -> bytes:
    with _spool_errors():
        spool.seek(offset)
        return spool.read(count)


@contextlib.contextmanager
def _spool_errors() -> Iterator[None]:
    """Raise the temporary file's OSError as :class:`OutputError`: neither the pipe nor the network failed."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            tr(
                "what has passed through the pipe cannot be kept in a temporary file: {strerror}",
                strerror=error.strerror or error,
            ),
            where=tempfile.tempdir,
            hint=tr("set TMPDIR to a folder with more space, or import the bundle from a file"),
        ) from error


class _PipeReader:
    """A reader over a range of a pipe's tar."""

    def __init__(self, medium: PipeMedium, offset: int, length: int) -> None:
        self._medium = medium
        self._offset = offset
        self._remaining = length

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._remaining:
            return 0
        count = self._medium.readinto(buffer[: min(len(buffer), self._remaining)], self._offset)
        if not count:
            raise BundleError(
                tr("cut short: {remaining} bytes are missing", remaining=self._remaining), where=self._medium.where
            )
        self._offset += count
        self._remaining -= count
        return count

    def close(self) -> None:
        """Do nothing: the medium closes the pipe."""


def open_pipe(fd: int, where: str) -> PipeMedium:
    """Open a pipe with a tar, plain or compressed with zstd. Raises :class:`BundleError`."""
    with translate_read_errors(where, 0):
        start = _read_start(fd)
    pull = _with_start(start, lambda buffer: os.readv(fd, [buffer]))
    if start == MAGIC:
        pull = decompress(pull, where)
    return PipeMedium(where, pull)


def decompress(pull: Pull, where: str) -> Pull:
    """Return a function that gives the content of the zstd stream that ``pull`` gives, of any number of frames."""
    zstandard = load_zstandard()

    class Compressed:
        def read(self, count: int) -> bytes:
            buffer = memoryview(bytearray(count))
            return bytes(buffer[: pull(buffer)])

    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    stream = decompressor.stream_reader(Compressed(), read_size=BUFFER_SIZE, read_across_frames=True)

    def pull_decompressed(buffer: memoryview) -> int:
        try:
            count: int = stream.readinto(buffer)
        except zstandard.ZstdError as error:
            hint = tr("copy the bundle once more from the other side")
            raise BundleError(
                tr("damaged: zstd cannot unpack it ({error})", error=error), where=where, hint=hint
            ) from error
        return count

    return pull_decompressed


def _read_start(fd: int) -> bytes:
    """Read as many bytes as a zstd magic number has, fewer where the pipe ends."""
    start = b""
    while len(start) < len(MAGIC):
        part = os.read(fd, len(MAGIC) - len(start))
        if not part:
            break
        start += part
    return start


def _with_start(start: bytes, pull: Pull) -> Pull:
    """Return a function that gives ``start`` and then what ``pull`` gives."""
    remaining = start

    def pull_all(buffer: memoryview) -> int:
        nonlocal remaining
        if remaining:
            count = min(len(remaining), len(buffer))
            buffer[:count], remaining = remaining[:count], remaining[count:]
            return count
        return pull(buffer)

    return pull_all


class StreamDraft:
    """A tar of ``size`` bytes that is written to the pipe ``fd`` in order. Methods as in :class:`Draft`."""

    ordered = True

    def __init__(self, fd: int, size: int, where: str = tr("standard output")) -> None:
        self.path = Path(where)
        self._fd = fd
        self._size = size
        self._position = 0

    def write(self, piece: memoryview, offset: int) -> None:
        """Write zeros up to ``offset``, then ``piece``."""
        self._fill_with_zeros(offset)
        self._write_all(piece)

    def read(self, count: int, offset: int) -> bytes:
        """Return nothing: a pipe cannot be read back."""
        return b""

    def rewind(self, offset: int) -> int:
        """Raise :class:`OutputError` if anything after ``offset`` was written."""
        if offset < self._position:
            raise OutputError(
                tr("what was written to a pipe cannot be taken back"),
                where=str(self.path),
                hint=tr("run the command again"),
            )
        return offset

    def sync(self) -> None:
        """Do nothing: a pipe has no disk."""

    def finish(self) -> None:
        """Write zeros up to the end of the tar."""
        self._fill_with_zeros(self._size)

    def keep(self) -> None:
        """Do nothing: a pipe keeps no bytes."""

    def discard(self) -> None:
        """Do nothing: what was written to a pipe is gone."""

    def _fill_with_zeros(self, offset: int) -> None:
        check_gap(offset - self._position)
        zeros = bytes(min(BUFFER_SIZE, max(0, offset - self._position)))
        while self._position < offset:
            self._write_all(memoryview(zeros)[: offset - self._position])

    def _write_all(self, piece: memoryview) -> None:
        try:
            while piece:
                count = os.write(self._fd, piece)
                self._position += count
                piece = piece[count:]
        except BrokenPipeError as error:
            hint = tr("run the command again")
            raise OutputError(tr("whoever read it has ended"), where=str(self.path), hint=hint) from error
        except OSError as error:
            raise output_error(error, self.path) from error

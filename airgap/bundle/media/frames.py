# SPDX-License-Identifier: Apache-2.0
"""Reading a ``.tar.zst`` at any offset: independent zstd frames of at most 2 MiB of content and a seek table.

The seek table is a skippable frame at the end of the file (zstd's contrib/seekable_format). Every zstd program can
decompress such a file from its start. Data that compression would not shrink is stored in frames of raw blocks.
"""

from __future__ import annotations

import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from airgap.bundle.media.base import CUT_SHORT_HINT, PreadReader
from airgap.bundle.media.frame_table import SEEKABLE, SKIPPABLE, FrameTable
from airgap.bundle.media.zstd import MAGIC, load_zstandard
from airgap.errors import BundleError, UnsupportedBundle
from airgap.i18n import tr
from airgap.store.protocols import Reader
from airgap.store.readers import translate_read_errors

#: The largest content of a frame that airgap writes, in bytes.
FRAME_SIZE = 2 * 1024 * 1024
#: RFC 8878, 3.1.1.2.4: a block holds at most 128 KiB.
_BLOCK_SIZE = 128 * 1024
#: How many decompressed frames are cached: several workers read several blobs at once.
_CACHED_FRAMES = 8


def raw_frame(piece: bytes | memoryview) -> bytes:
    """Return a zstd frame that stores ``piece`` uncompressed.

    RFC 8878, 3.1.1: a single segment, its content size in four bytes, no checksum.
    """
    parts: list[bytes | memoryview] = [MAGIC, b"\xa0", struct.pack("<I", len(piece))]
    for start in range(0, len(piece), _BLOCK_SIZE):
        block = piece[start : start + _BLOCK_SIZE]
        is_last = start + _BLOCK_SIZE >= len(piece)
        parts += [(len(block) << 3 | is_last).to_bytes(3, "little"), block]
    return b"".join(parts)


def scan_frames(fd: int, size: int) -> FrameTable:
    """Return the table of the complete frames at the start of an unfinished file of ``size`` bytes.

    Only frame and block headers are read. Raises OSError.
    """
    table = FrameTable()
    while (sizes := _frame_sizes(fd, table.packed_size, size)) is not None and sizes[1] <= FRAME_SIZE:
        table.append(*sizes)
    return table


def _frame_sizes(fd: int, offset: int, file_size: int) -> tuple[int, int] | None:
    """Return the packed and the raw size of the frame at ``offset``, ``None`` if no complete frame is there."""
    header = os.pread(fd, 18, offset)
    if len(header) < 9 or not header.startswith(MAGIC):
        return None
    # RFC 8878, 3.1.1.1: airgap's frames carry their content size and have neither a dictionary nor a checksum.
    single_segment, size_flag = header[4] & 0x20, header[4] >> 6
    start = 5 if single_segment else 6
    width = (1 if single_segment else 0, 2, 4, 8)[size_flag]
    raw_size = int.from_bytes(header[start : start + width], "little") + (256 if width == 2 else 0)
    position, is_last = offset + start + width, False
    while not is_last:
        block_header = os.pread(fd, 3, position)
        if len(block_header) < 3:
            return None
        # RFC 8878, 3.1.1.2: bit 0 marks the last block, bits 1 and 2 are its type (1 is RLE), the rest is its size.
        value = int.from_bytes(block_header, "little")
        is_last = bool(value & 1)
        position += 3 + (1 if value >> 1 & 3 == 1 else value >> 3)
    return (position - offset, raw_size) if position <= file_size else None


class FramesMedium:
    """A tar in zstd frames. Made by :func:`open_frames`. Thread-safe. Owns the file descriptor ``fd``.

    The owner of ``table`` may add and remove frames at its end; after removing any, it calls :meth:`clear_cache`.
    """

    ordered = False

    def __init__(self, where: str, fd: int, table: FrameTable) -> None:
        zstandard = load_zstandard()

        self.where = where
        self.size: int | None = table.raw_size
        self._fd = fd
        self._table = table
        self._lock = threading.Lock()
        #: Decompressed frames by number, the most recently used last.
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        #: A decompressor for each thread.
        self._local = threading.local()
        self._new_decompressor: Any = zstandard.ZstdDecompressor
        self._zstd_error: Any = zstandard.ZstdError

    def pread(self, count: int, offset: int) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the tar ends. Raises :class:`BundleError`."""
        parts = []
        while count > 0 and offset < self._table.raw_size:
            number = self._table.frame_at(offset)
            start = offset - self._table.raw_range(number)[0]
            part = self._frame(number)[start : start + count]
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return b"".join(parts)

    def open_range(self, offset: int, length: int) -> Reader:
        """Open a reader that decompresses as it is read."""
        return PreadReader(self.pread, offset, length, self.where)

    def expect_size(self, total: int) -> None:
        """Raise :class:`BundleError` if the frames hold fewer than ``total`` bytes."""
        if self.size is not None and self.size < total:
            raise BundleError(
                tr("cut short: it should hold {total:,} bytes and holds {size:,}", total=total, size=self.size),
                hint=CUT_SHORT_HINT,
            )

    def files_at(self, offset: int, length: int) -> Sequence[str]:
        """Return the name of the one file."""
        return (self.where,)

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def clear_cache(self) -> None:
        """Drop the decompressed frames in memory, because frames at the end of the file were removed."""
        with self._lock:
            self._cache.clear()

    def _frame(self, number: int) -> bytes:
        """Return the content of frame ``number``. Raises :class:`BundleError`."""
        with self._lock:
            if number in self._cache:
                self._cache.move_to_end(number)
                return self._cache[number]
        (offset, packed_size), (_, raw_size) = self._table.packed_range(number), self._table.raw_range(number)
        with translate_read_errors(self.where, offset):
            packed = os.pread(self._fd, packed_size, offset)
        decompressor = getattr(self._local, "decompressor", None)
        if decompressor is None:
            decompressor = self._local.decompressor = self._new_decompressor()
        try:
            # RFC 8878, 3.1.1.1.1: encoders leave these two bits at zero; zstd ignores one of them.
            if packed[4:5] and packed[4] & 0x18:
                raise self._zstd_error
            content: bytes = decompressor.decompress(packed, max_output_size=raw_size)
        except self._zstd_error:
            content = b""
        if len(content) != raw_size:
            raise BundleError(
                tr("damaged: the zstd frame at byte {offset} cannot be unpacked", offset=offset),
                where=self.where,
                hint=tr("copy the bundle once more from the other side"),
            )
        with self._lock:
            self._cache[number] = content
            while len(self._cache) > _CACHED_FRAMES:
                self._cache.popitem(last=False)
        return content


def open_frames(where: str, fd: int, size: int) -> FramesMedium | None:
    """Open a file of ``size`` bytes that ends with a seek table; return ``None`` where it does not.

    Raises :class:`BundleError` for a seek table that does not match the file, :class:`UnsupportedBundle` for frames
    that are too large to be decompressed in memory.
    """
    with translate_read_errors(where):
        footer = os.pread(fd, 9, max(0, size - 9))
        if len(footer) < 9:
            return None
        count, flags, magic = struct.unpack("<IBI", footer)
        if magic != SEEKABLE:
            return None
        if flags & 0x7F:
            raise BundleError(tr("damaged: its seek table has flags that nobody has defined"), where=where)
        entry_size = 12 if flags & 0x80 else 8
        length = count * entry_size + 9
        if length + 8 > size:
            raise BundleError(tr("damaged: its seek table is longer than the file"), where=where)
        content = os.pread(fd, length + 8, size - length - 8)
    if struct.unpack_from("<II", content) != (SKIPPABLE, length):
        raise BundleError(tr("damaged: its seek table does not begin where it should"), where=where)
    sizes: list[tuple[int, int]] = [
        struct.unpack_from("<II", content, 8 + number * entry_size) for number in range(count)
    ]
    if sum(packed for packed, _ in sizes) != size - length - 8:
        raise BundleError(tr("damaged: its seek table does not fit the file"), where=where, hint=CUT_SHORT_HINT)
    if any(raw > 4 * FRAME_SIZE for _, raw in sizes):
        raise UnsupportedBundle(tr("its zstd frames are too large to be read from anywhere"), where=where)
    return FramesMedium(where, fd, FrameTable(sizes))

# SPDX-License-Identifier: Apache-2.0
"""A tar in zstd frames that can be read from anywhere: independent frames of at most 2 MiB, their sizes in a seek
table, which is itself a skippable frame at the end (the seekable format of zstd's contrib folder).

Every zstd program reads such a file from its start. What would not shrink stands in frames of raw blocks.
"""

from __future__ import annotations

import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from airgap.bundle.media.base import CUT_SHORT, Pieces, translate_read_errors
from airgap.bundle.media.frame_table import SEEKABLE, SKIPPABLE, FrameTable
from airgap.bundle.media.zstd import library
from airgap.errors import BundleError, UnsupportedBundle
from airgap.store.protocols import Reader

MAGIC = b"\x28\xb5\x2f\xfd"
FRAME = 2 * 1024 * 1024
#: RFC 8878, 3.1.1.2.4: a block holds at most 128 KiB.
_BLOCK = 128 * 1024
#: Frames that were decompressed last; several workers read several blobs.
_KEPT = 8


def raw_frame(piece: bytes | memoryview) -> bytes:
    """A frame that holds ``piece`` as it is (RFC 8878, 3.1.1): one segment, its size in four bytes, no checksum."""
    parts: list[bytes | memoryview] = [MAGIC, b"\xa0", struct.pack("<I", len(piece))]
    for start in range(0, len(piece), _BLOCK):
        block = piece[start : start + _BLOCK]
        last = start + _BLOCK >= len(piece)
        parts += [(len(block) << 3 | last).to_bytes(3, "little"), block]
    return b"".join(parts)


def walk(fd: int, size: int) -> FrameTable:
    """The whole frames from the start of an unfinished file of ``size`` bytes, by their headers alone."""
    table = FrameTable()
    while (frame := _frame_at(fd, table.packed_size, size)) is not None and frame[1] <= FRAME:
        table.append(*frame)
    return table


def _frame_at(fd: int, offset: int, size: int) -> tuple[int, int] | None:
    head = os.pread(fd, 18, offset)
    if len(head) < 9 or not head.startswith(MAGIC):
        return None
    # RFC 8878, 3.1.1.1: our frames carry their content's size and neither dictionary nor checksum.
    single, field = head[4] & 0x20, head[4] >> 6
    start = 5 if single else 6
    width = (1 if single else 0, 2, 4, 8)[field]
    raw = int.from_bytes(head[start : start + width], "little") + (256 if width == 2 else 0)
    at, last = offset + start + width, False
    while not last:
        block = os.pread(fd, 3, at)
        if len(block) < 3:
            return None
        value = int.from_bytes(block, "little")
        last = bool(value & 1)
        at += 3 + (1 if value >> 1 & 3 == 1 else value >> 3)
    return (at - offset, raw) if at <= size else None


class FramesMedium:
    """Made by :func:`frames_of`. Takes ``fd`` over; ``table`` may change between calls, at its end."""

    ordered = False

    def __init__(self, where: str, fd: int, table: FrameTable) -> None:
        zstandard = library()

        self.where = where
        self._fd = fd
        self._table = table
        self.size: int | None = table.raw_size
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._decompressor = threading.local()
        self._make: Any = zstandard.ZstdDecompressor
        self._error: Any = zstandard.ZstdError

    def pread(self, count: int, offset: int) -> bytes:
        parts = []
        while count > 0 and offset < self._table.raw_size:
            number = self._table.at(offset)
            start = offset - self._table.raw_range(number)[0]
            part = self._frame(number)[start : start + count]
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return b"".join(parts)

    def open(self, offset: int, length: int) -> Reader:
        return Pieces(self.pread, offset, length, self.where)

    def expect(self, total: int) -> None:
        if self.size is not None and self.size < total:
            raise BundleError(f"cut short: it should hold {total:,} bytes and holds {self.size:,}", hint=CUT_SHORT)

    def files_of(self, offset: int, length: int) -> Sequence[str]:
        return (self.where,)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def forget(self) -> None:
        """Drop the frames kept in memory: the file's end has changed."""
        with self._lock:
            self._kept.clear()

    def _frame(self, number: int) -> bytes:
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
        (place, packed), (_, raw) = self._table.packed_range(number), self._table.raw_range(number)
        with translate_read_errors(self.where, place):
            content = os.pread(self._fd, packed, place)
        tool = getattr(self._decompressor, "tool", None)
        if tool is None:
            tool = self._decompressor.tool = self._make()
        try:
            found: bytes = tool.decompress(content, max_output_size=raw)
        except self._error:
            found = b""
        if len(found) != raw:
            raise BundleError(
                f"damaged: the zstd frame at byte {place} cannot be unpacked",
                where=self.where,
                hint="copy the bundle once more from the other side",
            )
        with self._lock:
            self._kept[number] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


def frames_of(where: str, fd: int, size: int) -> FramesMedium | None:
    """The frames of a file that ends with a seek table, ``None`` where there is no such table.

    Raises :class:`BundleError` for a table that does not fit the file, :class:`UnsupportedBundle` for frames larger
    than are read into memory.
    """
    with translate_read_errors(where):
        footer = os.pread(fd, 9, max(0, size - 9))
        if len(footer) < 9:
            return None
        count, flags, magic = struct.unpack("<IBI", footer)
        if magic != SEEKABLE:
            return None
        if flags & 0x7F:
            raise BundleError("damaged: its seek table has flags that nobody has defined", where=where)
        width = 12 if flags & 0x80 else 8
        length = count * width + 9
        if length + 8 > size:
            raise BundleError("damaged: its seek table is longer than the file", where=where)
        content = os.pread(fd, length + 8, size - length - 8)
    if struct.unpack_from("<II", content) != (SKIPPABLE, length):
        raise BundleError("damaged: its seek table does not begin where it should", where=where)
    sizes: list[tuple[int, int]] = [struct.unpack_from("<II", content, 8 + number * width) for number in range(count)]
    if sum(packed for packed, _ in sizes) != size - length - 8:
        raise BundleError("damaged: its seek table does not fit the file", where=where, hint=CUT_SHORT)
    if any(raw > 4 * FRAME for _, raw in sizes):
        raise UnsupportedBundle("its zstd frames are too large to be read from anywhere", where=where)
    return FramesMedium(where, fd, FrameTable(sizes))

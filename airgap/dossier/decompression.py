# SPDX-License-Identifier: Apache-2.0
"""Decompresses gzip, bzip2, xz and zstd as a stream, in bounded memory, and counts what comes out.

A compressed stream may consist of several members one after the other. What follows the last one must be zeros: other
programs ignore it, and something could be hidden there.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from airgap import limits
from airgap.dossier.budget import Budget
from airgap.dossier.streams import RawStream, Stream
from airgap.errors import ContentError
from airgap.i18n import tr

#: How many of its first bytes tell the compression of a file.
MAGIC_BYTES = 10
_CHUNK = 64 * 1024
#: RFC 8878, 3.1.1: frames, the blocks in them (3.1.1.2), and frames to be skipped (3.1.2).
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_ZSTD_BLOCK_MAX = 128 * 1024
_RLE_BLOCK, _RESERVED_BLOCK = 1, 3
_MAGICS = {"gzip": b"\x1f\x8b\x08", "xz": b"\xfd7zXZ\0", "zstd": _ZSTD_MAGIC}
#: Its size, then a block or the end of a stream without blocks.
_BZIP2_MAGIC = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")
#: For zlib: 16 more stand for the header of gzip, a minus for no header at all.
_WINDOW_BITS = {"gzip": 31, "deflate": -15}


class _Member(Protocol):
    """Decompresses one member of a stream."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def compression_of(start: bytes) -> str:
    """Return ``gzip``, ``bzip2``, ``xz`` or ``zstd`` for the first bytes of a file, or an empty string."""
    if start[1:4] == _ZSTD_SKIPPABLE and 0x50 <= start[0] <= 0x5F:
        return "zstd"
    if _BZIP2_MAGIC.match(start):
        return "bzip2"
    return next((name for name, magic in _MAGICS.items() if start.startswith(magic)), "")


def decompress(source: BinaryIO, compression: str, budget: Budget) -> Stream:
    """Return the decompressed bytes of ``source``. Besides those of :func:`compression_of` there is ``deflate``.

    Reading raises :class:`ContentError` for damage and for what exceeds the budget.
    """
    return Stream(_Zstd(source, budget) if compression == "zstd" else _Members(source, compression, budget))


class _Deflate:
    """:class:`_Member` for gzip and deflate: zlib keeps what it has not consumed elsewhere than bz2 and lzma do."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(wbits=window_bits)
        self.eof, self.unused_data, self.needs_input = False, b"", True

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        piece = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.eof, self.unused_data = self._inner.eof, self._inner.unused_data
        # A full buffer may be all that there was, or there may be more inside zlib.
        self.needs_input = len(piece) < max_length and not self._inner.unconsumed_tail
        return piece


def _new_member(compression: str) -> _Member:
    if compression in _WINDOW_BITS:
        return _Deflate(_WINDOW_BITS[compression])
    if compression == "bzip2":
        import bz2

        return bz2.BZ2Decompressor()
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limits.value("archive-memory"))


def _errors(compression: str) -> tuple[type[Exception], ...]:
    """What the decompressor raises for damaged data."""
    if compression == "xz":
        import lzma

        return (lzma.LZMAError, EOFError)
    return (zlib.error, OSError, EOFError, ValueError)


class _Members(RawStream):
    """gzip, bzip2 and xz."""

    def __init__(self, source: BinaryIO, compression: str, budget: Budget) -> None:
        self._source, self._compression, self._budget = source, compression, budget
        self._member: _Member | None = _new_member(compression)
        self._errors = _errors(compression)
        self._next = b""

    def read_some(self, buffer: memoryview) -> int:
        while self._member is not None:
            if self._member.eof:
                self._start_next(self._member.unused_data)
                continue
            # A decompressor that has stopped at max_length goes on without more input.
            data = b""
            if self._member.needs_input:
                data, self._next = self._next or self._source.read(_CHUNK), b""
                if not data:
                    raise self._damaged(tr("it ends in the middle"))
            try:
                piece = self._member.decompress(data, len(buffer))
            except self._errors as error:
                raise self._damaged(str(error)) from None
            if piece:
                self._budget.add_bytes(len(piece))
                buffer[: len(piece)] = piece
                return len(piece)
        return 0

    def _start_next(self, rest: bytes) -> None:
        """Begin the next member; without one, check that only zeros are left."""
        while not rest.lstrip(b"\0"):
            rest = self._source.read(_CHUNK)
            if not rest:
                self._member = None
                return
        rest = rest.lstrip(b"\0")
        rest += self._source.read(MAGIC_BYTES) if len(rest) < MAGIC_BYTES else b""
        if compression_of(rest) != self._compression:
            raise self._damaged(tr("something else follows its end"))
        self._member, self._next = _new_member(self._compression), rest

    def _damaged(self, why: str) -> ContentError:
        return ContentError(
            tr("cannot be decompressed as {compression}: {why}", compression=self._compression, why=why),
            where=self._budget.where,
        )


class _Zstd(RawStream):
    """zstd frames. The decoder is fed block by block, since it has no limit on what one call returns."""

    def __init__(self, source: BinaryIO, budget: Budget) -> None:
        from airgap.bundle.media.zstd import load_zstandard

        self._zstandard = load_zstandard()
        self._source, self._budget = source, budget
        self._feed: Callable[[bytes], bytes] | None = None
        self._checksum = 0
        self._ready = memoryview(b"")
        self._ended = False

    def read_some(self, buffer: memoryview) -> int:
        while not self._ready and not self._ended:
            try:
                piece = self._next_block() if self._feed is not None else self._next_frame()
            except self._zstandard.ZstdError as error:
                raise self._damaged(str(error)) from None
            self._budget.add_bytes(len(piece))
            self._ready = memoryview(piece)
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _next_frame(self) -> bytes:
        magic = self._source.read(4)
        while magic and not magic.strip(b"\0"):
            magic = self._source.read(4)
        if not magic:
            self._ended = True
        elif compression_of(magic) != "zstd":
            raise self._damaged(tr("something else follows its end"))
        elif magic != _ZSTD_MAGIC:
            self._skip(int.from_bytes(self._exactly(4), "little"))
        else:
            descriptor = self._exactly(1)
            flags = descriptor[0]
            single = flags >> 5 & 1
            content_size = (single, 2, 4, 8)[flags >> 6]
            rest = self._exactly((1 - single) + (0, 1, 2, 4)[flags & 3] + content_size)
            self._checksum = 4 * (flags >> 2 & 1)
            decoder = self._zstandard.ZstdDecompressor(max_window_size=limits.value("archive-memory"))
            self._feed = decoder.decompressobj().decompress
            return self._feed(magic + descriptor + rest)
        return b""

    def _next_block(self) -> bytes:
        assert self._feed is not None
        header = self._exactly(3)
        number = int.from_bytes(header, "little")
        last, kind, size = number & 1, number >> 1 & 3, number >> 3
        if kind == _RESERVED_BLOCK or size > _ZSTD_BLOCK_MAX:
            raise self._damaged(tr("a block of it is damaged"))
        block = header + self._exactly(1 if kind == _RLE_BLOCK else size)
        if last:
            block += self._exactly(self._checksum)
        piece = self._feed(block)
        if last:
            self._feed = None
        return piece

    def _skip(self, count: int) -> None:
        while count:
            count -= len(self._exactly(min(count, _CHUNK)))

    def _exactly(self, count: int) -> bytes:
        data = self._source.read(count)
        if len(data) != count:
            raise self._damaged(tr("it ends in the middle"))
        return data

    def _damaged(self, why: str) -> ContentError:
        return ContentError(
            tr("cannot be decompressed as {compression}: {why}", compression="zstd", why=why), where=self._budget.where
        )

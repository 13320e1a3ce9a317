# SPDX-License-Identifier: Apache-2.0
"""Reads the archives in packages: ``ar`` (deb, static libraries), ``cpio`` and the payload of an rpm, as streams."""

from __future__ import annotations

from collections.abc import Iterator

from airgap import limits
from airgap.dossier.budget import Budget
from airgap.dossier.decompression import MAGIC_BYTES, compression_of, decompress
from airgap.dossier.entry import Entry, Kind
from airgap.dossier.scanning.unscannable import Unscannable
from airgap.dossier.streams import RawStream, Stream
from airgap.errors import ContentError
from airgap.i18n import tr

AR_MAGIC = b"!<arch>\n"
RPM_MAGIC = b"\xed\xab\xee\xdb"
#: The new form of SVR4, without and with checksums, and the portable one of POSIX.1-1988.
CPIO_MAGICS = (b"070701", b"070702", b"070707")
_AR_HEADER = 60
#: The lead of an rpm, and what each of its two headers begins with: magic, version and 4 bytes.
_RPM_LEAD, _RPM_HEADER_MAGIC = 96, b"\x8e\xad\xe8\x01"
#: Bytes of a header of an rpm, which lists all its files; rpm itself has the same limit.
_MAX_RPM_HEADER = 256 * 1024 * 1024
_CHUNK = 64 * 1024
_FILE_TYPES: dict[int, Kind] = {0o040: "directory", 0o100: "file", 0o120: "symlink", 0o010: "fifo"}


class _Part(RawStream):
    """The next ``length`` bytes of a stream."""

    def __init__(self, stream: Stream, length: int) -> None:
        self._stream, self.left = stream, length

    def read_some(self, buffer: memoryview) -> int:
        piece = self._stream.read(min(len(buffer), self.left, _CHUNK))
        if not piece and self.left:
            raise ContentError(tr("it ends in the middle"))
        buffer[: len(piece)] = piece
        self.left -= len(piece)
        return len(piece)

    def skip(self) -> None:
        """Pass over what was not read."""
        while self.left:
            self.read(_CHUNK)


def read_ar(stream: Stream, budget: Budget) -> Iterator[Entry]:
    """Yield the files of an ``ar`` archive. Raises :class:`ContentError`."""
    _exactly(stream, len(AR_MAGIC))
    while header := stream.read(_AR_HEADER):
        if len(header) != _AR_HEADER or header[58:] != b"`\n":
            raise ContentError(tr("the archive is damaged: a header is missing"))
        budget.add_entry()
        part = _Part(stream, _number(header[48:58].strip(), 10))
        size = part.left
        name = header[:16].rstrip(b" ").removesuffix(b"/") or header[:16].rstrip(b" ")
        yield Entry(name, "file", size, stored=size, content=part)
        part.skip()
        stream.read(size % 2)


def read_cpio(stream: Stream, budget: Budget) -> Iterator[Entry]:
    """Yield the files of a ``cpio`` archive. Zeros may follow its end; anything else is an entry without a name.

    Raises :class:`ContentError`.
    """
    while True:
        magic = _exactly(stream, 6)
        if magic not in CPIO_MAGICS:
            raise ContentError(tr("the archive is damaged: a header is missing"))
        old = magic == CPIO_MAGICS[2]
        header = _exactly(stream, 70 if old else 104)
        if old:
            mode, size, name_size = (_number(header[start:end], 8) for start, end in ((12, 18), (59, 70), (53, 59)))
        else:
            mode, size, name_size = (_number(header[8 * n : 8 * n + 8], 16) for n in (1, 6, 11))
        if not 0 < name_size <= limits.value("archive-name-bytes") + 1:
            raise ContentError(tr("a name has {count:,} bytes", count=name_size))
        name = _exactly(stream, name_size).rstrip(b"\0")
        # Names and contents of the new forms fill four bytes each; a header has 110.
        _exactly(stream, 0 if old else -(110 + name_size) % 4)
        if name == b"TRAILER!!!":
            break
        budget.add_entry()
        part = _Part(stream, size)
        kind = _FILE_TYPES.get(mode >> 9 & 0o170, "other")
        yield Entry(name, kind, size, mode & 0o7777, stored=size, content=part)
        part.skip()
        _exactly(stream, 0 if old else -size % 4)
    yield from _behind(stream, budget)


def _behind(stream: Stream, budget: Budget) -> Iterator[Entry]:
    """Yield what follows the end of an archive, unless it is zeros: initial RAM disks have another archive there."""
    while piece := stream.read(1):
        if piece != b"\0":
            budget.add_entry()
            yield Entry(tr("(behind its end)").encode(), "other", -1, content=_Joined(piece, stream))
            return


class _Joined(RawStream):
    def __init__(self, first: bytes, rest: Stream) -> None:
        self._first, self._rest = first, rest

    def read_some(self, buffer: memoryview) -> int:
        piece, self._first = self._first or self._rest.read(min(len(buffer), _CHUNK)), b""
        buffer[: len(piece)] = piece
        return len(piece)


def read_rpm(stream: Stream, budget: Budget) -> Iterator[Entry]:
    """Yield the files of an rpm (RPM Package format V3/V4): two headers, then a compressed ``cpio``.

    Raises :class:`ContentError`, and :class:`Unscannable` for a payload in another form.
    """
    _exactly(stream, _RPM_LEAD)
    for padded in (True, False):
        header = _exactly(stream, 16)
        size = 16 * int.from_bytes(header[8:12], "big") + int.from_bytes(header[12:16], "big")
        if not header.startswith(_RPM_HEADER_MAGIC) or size > _MAX_RPM_HEADER:
            raise ContentError(tr("the archive is damaged: a header is missing"))
        size += -size % 8 if padded else 0
        _Part(stream, size).skip()
    payload = Stream(_Joined(_exactly(stream, 1), stream))
    compression = compression_of(payload.start(MAGIC_BYTES))
    files = decompress(payload, compression, budget) if compression else payload
    if files.start(6) not in CPIO_MAGICS:
        raise Unscannable("damaged", tr("its payload is in a form that is not known"))
    yield from read_cpio(files, budget)


def _exactly(stream: Stream, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise ContentError(tr("it ends in the middle"))
    return data


def _number(digits: bytes, base: int) -> int:
    try:
        number = int(digits, base) if digits.isalnum() else -1
    except ValueError:
        number = -1
    if number < 0:
        raise ContentError(tr("the archive is damaged: a header is missing"))
    return number

# SPDX-License-Identifier: Apache-2.0
"""Reads the files of a zip, whose directory is at its end (PKWARE's APPNOTE 6.3.10): whl, jar, apk, docx and others.

Some programs read a zip by its directory, others by the headers before each file. Bytes that belong to no file of the
directory are therefore an entry too, so that nothing is passed over that a program might unpack.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol

from airgap.dossier.budget import Budget
from airgap.dossier.decompression import decompress
from airgap.dossier.entry import Content, Entry
from airgap.dossier.scanning.unscannable import Unscannable
from airgap.dossier.streams import RawStream, Stream
from airgap.errors import ContentError
from airgap.i18n import tr

#: Section 4.3.16, 4.3.15, 4.3.14 and 4.3.12: the ends, and an entry of the directory; 4.3.7: the header of a file.
_END = struct.Struct("<4s4H2LH")
_END_LOCATOR_64 = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_HEADER = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 65_535
#: Behind the content of a file that was written as a stream: 12 to 24 bytes (4.3.9).
_LONGEST_DESCRIPTOR = 24
_ENCRYPTED = 1
_METHODS = {0: "", 8: "deflate", 12: "bzip2", 93: "zstd"}
_IS_64 = 0xFFFFFFFF


class Bytes(Protocol):
    """A file that can be read at any offset."""

    size: int

    def pread(self, count: int, offset: int) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the file ends."""


def read_zip(file: Bytes, budget: Budget) -> Iterator[Entry]:
    """Yield the files. Raises :class:`ContentError` for a damaged zip.

    Reading the content of a file raises :class:`Unscannable` if it is encrypted or compressed in an unknown way.
    """
    directory, directory_size, shift = _find_directory(file)
    places = array("Q")
    position, end = directory, directory + directory_size
    while position < end:
        fields = _unpack(_ENTRY, file, position, b"PK\1\2")
        (_, _, _, flags, method, _, _, _, packed, size, name_size, extra_size, comment_size, _, _, mode, start) = fields
        variable = file.pread(name_size + extra_size, position + _ENTRY.size)
        raw_name, extra = variable[:name_size], variable[name_size:]
        size, packed, start = _sizes_64(extra, size, packed, start)
        position += _ENTRY.size + name_size + extra_size + comment_size
        budget.add_entry()
        content_start = _content_start(file, start + shift)
        if content_start + packed > directory:
            raise _damaged(budget)
        places.extend((start + shift, content_start + packed))
        if raw_name.endswith(b"/") and not packed:
            yield Entry(raw_name, "directory", mode=mode >> 16 & 0o7777)
            continue
        content = _content(file, content_start, packed, method, flags, budget)
        yield Entry(raw_name, "file", size, mode >> 16 & 0o7777, stored=size, content=content)
    if position != end:
        raise _damaged(budget)
    yield from _gaps(file, places, directory, budget)


def _gaps(file: Bytes, places: array[int], directory: int, budget: Budget) -> Iterator[Entry]:
    """Yield what lies between the files, before the first and behind the last one."""
    taken = sorted(zip(places[::2], places[1::2], strict=True))
    for (_, end), (start, _) in pairwise([(0, 0), *taken, (directory, 0)]):
        slack = 0 if end == 0 else _LONGEST_DESCRIPTOR
        if start - end > slack:
            budget.add_entry()
            name = tr("(bytes {start:,} to {end:,}, of no file)", start=end, end=start)
            yield Entry(name.encode(), "other", start - end, stored=start - end, content=_Range(file, end, start - end))


def _find_directory(file: Bytes) -> tuple[int, int, int]:
    """Return the offset and size of the directory, and how far all offsets are off: something may precede the zip."""
    tail_size = min(file.size, _END.size + _LONGEST_COMMENT)
    tail = file.pread(tail_size, file.size - tail_size)
    found = tail.rfind(b"PK\5\6")
    if found < 0 or len(tail) - found < _END.size:
        raise ContentError(tr("the zip is damaged: its directory is missing"))
    *_, count, size, offset, comment_size = _END.unpack_from(tail, found)
    end = file.size - tail_size + found
    if found + _END.size + comment_size != len(tail):
        raise ContentError(tr("the zip is damaged: there is something behind its end"))
    if _IS_64 in (size, offset) or count == 0xFFFF:
        locator = file.pread(_END_LOCATOR_64.size, max(0, end - _END_LOCATOR_64.size))
        if locator.startswith(b"PK\6\7") and len(locator) == _END_LOCATOR_64.size:
            # Directly before its locator as a rule; what the locator says is wrong if something precedes the zip.
            end -= _END_LOCATOR_64.size + _END_64.size
            if file.pread(4, max(0, end)) != b"PK\6\6":
                end = _END_LOCATOR_64.unpack(locator)[2]
            *_, size, offset = _unpack(_END_64, file, end, b"PK\6\6")
    start = end - size
    if start < 0 or offset > start:
        raise ContentError(tr("the zip is damaged: its directory is missing"))
    return start, size, start - offset


def _content_start(file: Bytes, offset: int) -> int:
    header = _unpack(_HEADER, file, offset, b"PK\3\4")
    return offset + _HEADER.size + int(header[-2]) + int(header[-1])


def _sizes_64(extra: bytes, size: int, packed: int, start: int) -> tuple[int, int, int]:
    """Return the sizes and the offset, with those that are in the extra field of zip64 (4.5.3)."""
    values = [size, packed, start]
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        field = extra[position + 4 : position + 4 + length]
        if kind == 1:
            for index, value in enumerate(values):
                if value == _IS_64 and len(field) >= 8:
                    values[index], field = int.from_bytes(field[:8], "little"), field[8:]
        position += 4 + length
    return values[0], values[1], values[2]


def _content(file: Bytes, start: int, packed: int, method: int, flags: int, budget: Budget) -> Content:
    if flags & _ENCRYPTED:
        return Unscannable.content("encrypted", tr("is encrypted"))
    if method not in _METHODS:
        return Unscannable.content("damaged", tr("is compressed in a way that is not known ({method})", method=method))
    content = _Range(file, start, packed)
    return decompress(Stream(content), _METHODS[method], budget) if _METHODS[method] else content


def _unpack(form: struct.Struct, file: Bytes, offset: int, magic: bytes) -> tuple[int, ...]:
    data = file.pread(form.size, offset) if 0 <= offset <= file.size else b""
    if len(data) != form.size or not data.startswith(magic):
        raise ContentError(tr("the zip is damaged: a header is missing at byte {offset:,}", offset=offset))
    return form.unpack(data)


def _damaged(budget: Budget) -> ContentError:
    return ContentError(tr("the zip is damaged: its directory contradicts its files"), where=budget.where)


class _Range(RawStream):
    """``length`` bytes of a file."""

    def __init__(self, file: Bytes, offset: int, length: int) -> None:
        self._file, self._offset, self._left = file, offset, length

    def read_some(self, buffer: memoryview) -> int:
        piece = self._file.pread(min(len(buffer), self._left), self._offset)
        if not piece and self._left:
            raise ContentError(tr("it ends in the middle"))
        buffer[: len(piece)] = piece
        self._offset, self._left = self._offset + len(piece), self._left - len(piece)
        return len(piece)

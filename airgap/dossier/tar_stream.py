# SPDX-License-Identifier: Apache-2.0
"""Reads a tar as a stream: ustar, pax, GNU's long names and sparse files, and the old form of V7.

Where readers of tar disagree this one does as Go's ``archive/tar``, with which container runtimes unpack layers: global
pax headers say nothing about the files behind them, links and folders have no content, and two blocks of zeros are the
end. Anything that makes an entry ambiguous is an error, so that nothing in a layer is passed over in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from airgap import limits
from airgap.dossier.budget import Budget
from airgap.dossier.entry import WHITEOUT, Content, Entry, Kind
from airgap.dossier.sparse import SparseContent, SparseMap, gnu_map, pax_map, stored_map
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import Record

BLOCK = 512
_CHUNK = 64 * 1024
#: Bytes of a pax header or of a GNU long name; Go's reader has the same limit.
_MAX_EXTENDED = 1024 * 1024
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL, _GNU_SPARSE = b"L", b"K", b"x", b"g", b"S"
_KINDS: dict[bytes, Kind] = {
    b"0": "file", b"\0": "file", b"7": "file", _GNU_SPARSE: "file", b"1": "hardlink", b"2": "symlink",
    b"3": "device", b"4": "device", b"5": "directory", b"6": "fifo",
}  # fmt: skip
#: Where mode, uid, gid and size are in a header block.
_NUMBERS = ((100, 108), (108, 116), (116, 124), (124, 136))
_WITHOUT_CONTENT = frozenset(("hardlink", "symlink", "device", "directory", "fifo"))


def is_tar(block: bytes) -> bool:
    """Whether the first 512 bytes of a file are the header of a tar, or the end of an empty one."""
    if len(block) < BLOCK:
        return False
    return not any(block) or _checksum_matches(block)


def read_tar(source: BinaryIO, budget: Budget) -> Iterator[Entry]:
    """Yield the entries of a tar. The content of one ends where the next is asked for; what was not read is skipped.

    Raises :class:`ContentError` for a damaged tar, and for one that exceeds the limits.
    """
    return _Tar(source, budget).entries()


class _Header(Record):
    """The fields of a header block that are used."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    type: bytes
    link: bytes


class _Limited:
    """``length`` bytes of the tar; what else it holds is no concern of theirs."""

    def __init__(self, tar: _Tar, length: int) -> None:
        self._tar, self.left = tar, length

    def read(self, count: int, /) -> bytes:
        piece = self._tar.take(min(count, self.left)) if self.left else b""
        self.left -= len(piece)
        return piece


class _Tar:
    def __init__(self, source: BinaryIO, budget: Budget) -> None:
        self._source, self._budget = source, budget
        self._offset = 0

    def entries(self) -> Iterator[Entry]:
        pax: dict[bytes, list[bytes]] = {}
        long_name = long_link = b""
        while (block := self._next_header()) is not None:
            header = self._parse(block)
            if header.type in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
                content = self._extended(header.size)
                if header.type == _PAX:
                    pax = self._pax_records(content)
                elif header.type == _LONG_NAME:
                    long_name = content.partition(b"\0")[0]
                elif header.type == _LONG_LINK:
                    long_link = content.partition(b"\0")[0]
                continue
            self._budget.add_entry()
            yield from self._entry(block, header, pax, long_name, long_link)
            pax, long_name, long_link = {}, b"", b""
        if pax or long_name or long_link:
            raise self._damaged(tr("it ends in the middle"))

    def take(self, count: int) -> bytes:
        """Return up to ``count`` bytes, at least one. Raises :class:`ContentError` where the tar ends."""
        piece = self._source.read(min(count, _CHUNK))
        if not piece:
            raise self._damaged(tr("it ends in the middle"))
        self._offset += len(piece)
        return piece

    def exactly(self, count: int) -> bytes:
        """Return ``count`` bytes. Raises :class:`ContentError`."""
        content = b""
        while len(content) < count:
            content += self.take(count - len(content))
        return content

    def _entry(
        self, block: bytes, header: _Header, pax: dict[bytes, list[bytes]], long_name: bytes, long_link: bytes
    ) -> Iterator[Entry]:
        """Yield the entry of one header, and pass over its content afterwards."""
        last = {key: values[-1] for key, values in pax.items()}
        kind = _KINDS.get(header.type, "other")
        name = last.get(b"path") or long_name or header.name
        if kind == "file" and header.type == b"\0" and name.endswith(b"/"):
            kind = "directory"
        size = self._number_of(last, b"size", header.size)
        data = _Limited(self, 0 if kind in _WITHOUT_CONTENT and header.type != b"\0" else size)
        padding, real_size = -data.left % BLOCK, data.left
        content: Content = data
        if sparse_map := self._sparse_map(block, header, pax, data):
            name = last.get(b"GNU.sparse.name") or name
            real_size = sparse_map[0]
            content = SparseContent(data, sparse_map, self._budget)
        stored = data.left
        if kind not in _WITHOUT_CONTENT and name.rstrip(b"/").rpartition(b"/")[2].startswith(WHITEOUT.encode()):
            kind = "whiteout"
        link = last.get(b"linkpath") or long_link or header.link
        for text in (name, link):
            if len(text) > limits.value("archive-name-bytes"):
                raise self._damaged(tr("a name has {count:,} bytes", count=len(text)))
        uid, gid = self._number_of(last, b"uid", header.uid), self._number_of(last, b"gid", header.gid)
        link = link if kind in ("symlink", "hardlink") else b""
        yield Entry(name, kind, real_size, header.mode & 0o7777, uid, gid, link, stored, content)
        while data.left:
            data.read(data.left)
        self.exactly(padding)

    def _sparse_map(
        self, block: bytes, header: _Header, pax: dict[bytes, list[bytes]], data: _Limited
    ) -> SparseMap | None:
        """Return where the stored bytes of a sparse file belong; ``None`` for any other file."""
        try:
            if header.type == _GNU_SPARSE:
                found: SparseMap | None = gnu_map(block, lambda: self.exactly(BLOCK), _number)
            elif (pax.get(b"GNU.sparse.major"), pax.get(b"GNU.sparse.minor")) == ([b"1"], [b"0"]):
                found = stored_map(pax, data.read)
            else:
                found = pax_map(pax)
            if found is None:
                return None
            size, regions = found
            end = 0
            for offset, length in regions:
                if offset < end or length < 0 or offset + length > size:
                    raise ValueError
                end = offset + length
            if sum(length for _, length in regions) != data.left:
                raise ValueError
        except ValueError:
            raise self._damaged(tr("the map of a sparse file is damaged")) from None
        return found

    def _next_header(self) -> bytes | None:
        """Return the next header block, ``None`` at the end, where only zeros may follow."""
        block = self._source.read(BLOCK)
        if not block:
            return None  # Go's reader takes a tar without its end, and some programs write such layers
        if len(block) < BLOCK:
            raise self._damaged(tr("it ends in the middle"))
        self._offset += BLOCK
        if any(block):
            return block
        while piece := self._source.read(_CHUNK):
            if any(piece):
                # A single block of zeros is no end: GNU tar passes over it, Go's reader stops with an error.
                raise self._damaged(tr("there is something behind its end"))
        return None

    def _parse(self, block: bytes) -> _Header:
        if not _checksum_matches(block):
            raise self._damaged(tr("there is no header"))
        magic = block[257:265]
        prefix = b""
        if magic[:6] == b"ustar\0":
            prefix = _text(block[345:476] if block[508:512] == b"tar\0" else block[345:500])
        name = _text(block[0:100])
        try:
            mode, uid, gid, size = (_number(block[start:end]) for start, end in _NUMBERS)
            if size < 0:
                raise ValueError
            return _Header(
                prefix + b"/" + name if prefix else name, mode, uid, gid, size, block[156:157], _text(block[157:257])
            )
        except ValueError:
            raise self._damaged(tr("a number in its header is none")) from None

    def _extended(self, size: int) -> bytes:
        if size > _MAX_EXTENDED:
            raise self._damaged(tr("an extended header has {count:,} bytes", count=size))
        content = self.exactly(size)
        self.exactly(-size % BLOCK)
        return content

    def _pax_records(self, content: bytes) -> dict[bytes, list[bytes]]:
        """Return the records ``LENGTH key=value`` (POSIX.1-2001, pax); a key may occur several times."""
        records: dict[bytes, list[bytes]] = {}
        position = 0
        while position < len(content):
            blank = content.find(b" ", position, position + 12)
            digits = content[position:blank] if blank > position else b""
            end = position + int(digits) if digits.isdigit() else 0
            if end <= blank + 1 or end > len(content) or content[end - 1 : end] != b"\n":
                raise self._damaged(tr("an extended header is damaged"))
            key, equals, value = content[blank + 1 : end - 1].partition(b"=")
            if not equals or not key or b"\0" in value:
                raise self._damaged(tr("an extended header is damaged"))
            records.setdefault(key, []).append(value)
            position = end
        return records

    def _number_of(self, pax: dict[bytes, bytes], key: bytes, otherwise: int) -> int:
        value = pax.get(key)
        if not value:
            return otherwise
        if not value.isdigit() or len(value) > 19:
            raise self._damaged(tr("an extended header is damaged"))
        return int(value)

    def _damaged(self, why: str) -> ContentError:
        return ContentError(
            tr("the tar is damaged before byte {offset:,}: {why}", offset=self._offset, why=why),
            where=self._budget.where,
        )


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """Return an octal or base-256 number; the latter may be below zero. Raises :class:`ValueError`."""
    if field[0] & 0x80:
        number = int.from_bytes(field, "big", signed=True)
        # The first bit only marks the form; of a positive number it is no part.
        return number if field[0] & 0x40 else number + (1 << (8 * len(field) - 1))
    digits = field.strip(b" \0") or b"0"
    if not digits.isdigit():
        raise ValueError
    return int(digits, 8)


def _checksum_matches(block: bytes) -> bool:
    """Whether the checksum is that of the block; very old programs added signed bytes."""
    try:
        stated = _number(block[148:156])
    except ValueError:
        return False
    unsigned = sum(block) - sum(block[148:156]) + 8 * 32
    if stated == unsigned or (unsigned - stated) % 256:
        return stated == unsigned
    negative = sum(byte > 127 for byte in block[:148] + block[156:])
    return stated == unsigned - 256 * negative

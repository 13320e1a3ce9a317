# SPDX-License-Identifier: Apache-2.0
"""Where the files of a tar lie. Reads the headers alone: POSIX.1-1988 ustar, pax, and GNU's long names."""

from __future__ import annotations

import os
import re
import stat
from types import TracebackType

from airgap.errors import ContentError, ContentMissing, UsageError
from airgap.i18n import tr
from airgap.records import Record
from airgap.store.readers import FileRange, translate_read_errors

_BLOCK = 512
#: More members than any image archive has: one layer is at most three of them.
MAX_MEMBERS = 200_000
#: Bytes of one extended header or long name.
_MAX_EXTENDED = 64 * 1024
#: How many links are followed from one name.
_MAX_LINKS = 8
_PAX_SIZE = re.compile("[0-9]{1,18}")
_FILES, _HARD_LINK, _SYMBOLIC_LINK = (b"0", b"\0", b"7"), b"1", b"2"
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
_COMPRESSED = {b"\x1f\x8b": "gunzip --keep", b"\x28\xb5": "unzstd", b"BZ": "bunzip2 --keep", b"\xfd7": "unxz --keep"}


class _Member(Record):
    """A file: the ``offset`` of its first byte and its ``size``, or the name that a link leads to."""

    offset: int
    size: int
    target: str = ""


class TarIndex:
    """The files of the uncompressed tar ``path`` by name. A context manager that closes the file.

    Raises :class:`UsageError` for a file that cannot be opened, :class:`ContentError` for one that is no such tar.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            # O_NONBLOCK: opening a named pipe would wait for a writer.
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise UsageError(tr("cannot be read: {strerror}", strerror=error.strerror), where=path) from error
        self._members: dict[str, _Member] = {}
        try:
            with translate_read_errors(path):
                status = os.fstat(self._fd)
                if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                    raise ContentError(tr("is no regular file"), where=path)
                self._size = status.st_size
                self._read_headers()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> TarIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, or ``None`` if there is no such file. Links are followed."""
        member = self._member(name)
        return member.size if member else None

    def read(self, name: str, limit: int) -> bytes:
        """Return a small file. Raises :class:`ContentMissing`, and :class:`ContentError` beyond ``limit`` bytes."""
        member = self._member(name)
        if member is None:
            raise ContentMissing(tr("has no {name}", name=name), where=self.path)
        if member.size > limit:
            raise ContentError(
                tr("{name} has {size} bytes; at most {limit} are expected", name=name, size=member.size, limit=limit),
                where=self.path,
            )
        return self._pread(member.size, member.offset)

    def open(self, name: str, offset: int = 0) -> FileRange:
        """Open a file at a byte offset; raise :class:`ContentMissing`."""
        member = self._member(name)
        if member is None:
            raise ContentMissing(tr("has no {name}", name=name), where=self.path)
        return FileRange(self._fd, member.offset + offset, member.size - offset, where=self.path)

    def _member(self, name: str) -> _Member | None:
        for _ in range(_MAX_LINKS):
            member = self._members.get(os.path.normpath(name))
            if member is None or not member.target:
                return member
            name = member.target
        return None

    def _pread(self, size: int, offset: int) -> bytes:
        with translate_read_errors(self.path, offset):
            content = os.pread(self._fd, size, offset)
        if len(content) != size:
            raise ContentError(tr("ends in the middle, at byte {end}", end=offset + len(content)), where=self.path)
        return content

    def _read_headers(self) -> None:
        start = self._pread(min(_BLOCK, self._size), 0)
        for magic, command in _COMPRESSED.items():
            if start.startswith(magic):
                raise ContentError(
                    tr("is compressed"),
                    where=self.path,
                    hint=tr("unpack it first: {command} {path}", command=command, path=self.path),
                )
        offset, long_name, long_link = 0, "", ""
        pax: dict[str, str] = {}
        while offset + _BLOCK <= self._size:
            block = self._pread(_BLOCK, offset)
            if not block.strip(b"\0"):
                break
            name, size, kind, link = self._parse(block, offset)
            offset += _BLOCK
            if kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
                if size > _MAX_EXTENDED:
                    raise ContentError(
                        tr("has an extended header of {size} bytes at byte {offset}", size=size, offset=offset),
                        where=self.path,
                    )
                content = self._pread(size, offset)
                if kind == _PAX:
                    pax = self._parse_pax(content, offset)
                elif kind == _LONG_NAME:
                    long_name = content.rstrip(b"\0").decode(errors="replace")
                elif kind == _LONG_LINK:
                    long_link = content.rstrip(b"\0").decode(errors="replace")
            else:
                name, link = pax.get("path") or long_name or name, pax.get("linkpath") or long_link or link
                size = int(pax["size"]) if _PAX_SIZE.fullmatch(pax.get("size", "")) else size
                self._add(name, offset, size, kind, link)
                pax, long_name, long_link = {}, "", ""
            offset += -(-size // _BLOCK) * _BLOCK if kind not in (_HARD_LINK, _SYMBOLIC_LINK) else 0

    def _add(self, name: str, offset: int, size: int, kind: bytes, link: str) -> None:
        if len(self._members) >= MAX_MEMBERS:
            raise ContentError(tr("has more than {max_members} files", max_members=MAX_MEMBERS), where=self.path)
        if kind in _FILES:
            if offset + size > self._size:
                raise ContentError(
                    tr("is cut short: {name} should reach byte {end}", name=name, end=offset + size),
                    where=self.path,
                )
            self._members[os.path.normpath(name)] = _Member(offset, size)
        elif kind in (_HARD_LINK, _SYMBOLIC_LINK):
            # A hard link names its target from the tar's root, a symbolic link from its own folder.
            folder = os.path.dirname(name) if kind == _SYMBOLIC_LINK else ""
            self._members[os.path.normpath(name)] = _Member(0, 0, os.path.normpath(os.path.join(folder, link)))

    def _parse(self, block: bytes, offset: int) -> tuple[str, int, bytes, str]:
        """Return name, size, type and link target of a header block."""
        try:
            # The checksum counts its own field as eight blanks.
            if _number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 32:
                raise ValueError
            size = int.from_bytes(block[125:136], "big") if block[124] == 0x80 else _number(block[124:136])
        except ValueError:
            raise ContentError(
                tr("is no tar: there is no header at byte {offset}", offset=offset), where=self.path
            ) from None
        prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
        parts = [part.decode(errors="replace") for part in (prefix, block[:100].partition(b"\0")[0]) if part]
        return "/".join(parts), size, block[156:157], block[157:257].partition(b"\0")[0].decode(errors="replace")

    def _parse_pax(self, content: bytes, offset: int) -> dict[str, str]:
        records: dict[str, str] = {}
        while content:
            length, _, _ = content.partition(b" ")
            if not re.fullmatch(rb"[0-9]{1,9}", length) or not len(length) < int(length) <= len(content):
                raise ContentError(tr("has a damaged extended header at byte {offset}", offset=offset), where=self.path)
            key, _, value = content[len(length) + 1 : int(length)].rstrip(b"\n").partition(b"=")
            records[key.decode(errors="replace")] = value.decode(errors="replace")
            content = content[int(length) :]
        return records


def _number(text: bytes) -> int:
    digits = text.strip(b" \0") or b"0"
    if not digits.isdigit():
        raise ValueError
    return int(digits, 8)

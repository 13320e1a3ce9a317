# SPDX-License-Identifier: Apache-2.0
"""Tar as the bundle uses it: ustar headers (POSIX.1-1988), base-256 for sizes from 8 GiB on, PAX for long paths.

``tarfile`` cannot write base-256 sizes under a ustar header, and its reading follows what a file says; here
every member's place is computed, so that it can be written out of order, and every header is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airgap.errors import BundleError
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.records import Record, field

BLOCK = 512
_OCTAL_LIMIT = 8 * 1024**3
#: Two zero blocks end a tar (POSIX.1-1988, 10.1.1).
END = bytes(2 * BLOCK)

FILE, DIRECTORY, PAX = b"0", b"5", b"x"

Pread = Callable[[int, int], bytes]
"""Gives at most so many bytes from an offset of the tar."""


class Member(Record):
    """One member: ``offset`` is that of its (first) header, ``data`` that of its content."""

    name: str
    size: int
    offset: int
    data: int
    directory: bool = False

    @property
    def end(self) -> int:
        return self.data + padded(self.size)


class Layout(Record):
    """Where everything stands: ``head`` members with their content, then a place for each blob in order."""

    head: tuple[tuple[Member, bytes], ...]
    blobs: tuple[Descriptor, ...]
    places: dict[str, Member] = field(repr=False)
    size: int

    @property
    def total(self) -> int:
        """The size of the whole file in bytes."""
        return self.size + len(END)


def padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def blob_name(digest: str) -> str:
    return f"blobs/{digests.algorithm(digest)}/{digests.encoded(digest)}"


def header(name: str, size: int, *, directory: bool = False) -> bytes:
    """The header block of a member, with a PAX header before it where the name does not fit ustar's fields."""
    split = _split(name)
    if split is not None:
        return _block(split, size, DIRECTORY if directory else FILE)
    record = _pax_record("path", name)
    short = name.rpartition("/")[2][:80]
    return (
        _block(("", f"PaxHeaders/{short}"), len(record), PAX)
        + record.ljust(padded(len(record)), b"\0")
        + _block(("", short), size, DIRECTORY if directory else FILE)
    )


def lay_out(head: Sequence[tuple[str, bytes]], blobs: Sequence[Descriptor]) -> Layout:
    """Give every member its place. Directories get a member before their content: without one, unpacking as a
    normal user fails in other programs."""
    members: list[tuple[Member, bytes]] = []
    seen: set[str] = set()
    offset = 0

    def add(name: str, content: bytes, *, directory: bool = False) -> None:
        nonlocal offset
        member = _place(name, len(content), offset, directory=directory)
        members.append((member, content))
        offset = member.end

    def parents(name: str) -> None:
        parts = name.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            folder = "/".join(parts[:count]) + "/"
            if folder not in seen:
                seen.add(folder)
                add(folder, b"", directory=True)

    for name, content in head:
        parents(name)
        add(name, content)
    parents("blobs/sha256/x")
    for blob in blobs:
        parents(blob_name(blob.digest))
    places = places_of(blobs, offset)
    end = max((place.end for place in places.values()), default=offset)
    return Layout(tuple(members), tuple(blobs), places, end)


def places_of(blobs: Sequence[Descriptor], offset: int) -> dict[str, Member]:
    """Where each blob must stand if the first begins at ``offset``."""
    places: dict[str, Member] = {}
    for blob in blobs:
        member = _place(blob_name(blob.digest), blob.size, offset)
        places[blob.digest] = member
        offset = member.end
    return places


def read_member(pread: Pread, offset: int, limit: int | None) -> Member | None:
    """The member whose header stands at ``offset``, or ``None`` at the end marker.

    Raises :class:`BundleError` for anything that is no plain file or folder under a relative path, or that
    reaches beyond the ``limit`` bytes of the tar where they are known.
    """
    start, long_name = offset, ""
    while True:
        block = pread(BLOCK, offset)
        if len(block) < BLOCK:
            raise BundleError(f"cut short: a tar header is missing at byte {offset}")
        if not any(block):
            return None
        name, size, kind = _parse(block, offset)
        offset += BLOCK
        if kind == PAX and not long_name:
            if size > 4096:
                raise BundleError(f"an extended header of {size} bytes at byte {start}")
            long_name = _pax_path(pread(size, offset), start)
            offset += padded(size)
            continue
        break
    name = long_name or name
    if kind not in (FILE, DIRECTORY):
        what = {b"1": "a hard link", b"2": "a symbolic link"}.get(kind, f"of the type {kind!r}")
        raise BundleError(f"the member {name!r} is {what}; a bundle holds only plain files and folders")
    _check_name(name)
    if kind == DIRECTORY and size:
        raise BundleError(f"the folder {name} has {size} bytes")
    if limit is not None and offset + size > limit:
        raise BundleError(f"cut short: {name} should reach byte {offset + size}, the file has {limit}")
    return Member(name, size, start, offset, directory=kind == DIRECTORY)


def _place(name: str, size: int, offset: int, *, directory: bool = False) -> Member:
    return Member(name, size, offset, offset + len(header(name, 0, directory=directory)), directory)


def _check_name(name: str) -> None:
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\\" in name or not name.isprintable():
        raise BundleError(f"the member name {name!r} is not allowed in a bundle")


def _split(name: str) -> tuple[str, str] | None:
    """``(prefix, name)`` in ustar's 155 and 100 bytes, or ``None`` if it does not fit."""
    raw = name.encode()
    if len(raw) <= 100:
        return "", name
    for position in range(len(raw) - 2, 0, -1):
        if raw[position : position + 1] == b"/" and position <= 155 and len(raw) - position - 1 <= 100:
            return raw[:position].decode(), raw[position + 1 :].decode()
    return None


def _block(name: tuple[str, str], size: int, kind: bytes) -> bytes:
    prefix, short = name
    mode = b"0000755\0" if kind == DIRECTORY else b"0000644\0"
    length = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    block = bytearray(BLOCK)
    for offset, field_ in (
        (0, short.encode()),
        (100, mode),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, length),
        (136, b"%011o\0" % 0),
        (148, b" " * 8),
        (156, kind),
        (257, b"ustar\x0000"),
        (329, b"0000000\0"),
        (337, b"0000000\0"),
        (345, prefix.encode()),
    ):
        block[offset : offset + len(field_)] = field_
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _parse(block: bytes, offset: int) -> tuple[str, int, bytes]:
    checksum = sum(block) - sum(block[148:156]) + 8 * 32
    try:
        if _octal(block[148:156]) != checksum:
            raise BundleError(f"the tar header at byte {offset} is damaged")
        # 0x80 alone begins a base-256 number; 0xff would begin a negative one.
        size = int.from_bytes(block[125:136], "big") if block[124] == 0x80 else _octal(block[124:136])
        parts = [block[345:500].rstrip(b"\0").decode(), block[0:100].partition(b"\0")[0].decode()]
    except ValueError as error:
        raise BundleError(f"what stands at byte {offset} is no tar header") from error
    kind = block[156:157].replace(b"\0", FILE)
    return "/".join(part for part in parts if part), size, kind


def _octal(text: bytes) -> int:
    """An octal number; :class:`ValueError` for signs and underscores too, which ``int`` would take."""
    digits = text.strip(b" \0") or b"0"
    if not digits.isdigit():
        raise ValueError(f"{text!r} is no octal number")
    return int(digits, 8)


def _pax_record(key: str, value: str) -> bytes:
    # "LENGTH key=value\n", where LENGTH counts itself (POSIX.1-2001 pax).
    body = f" {key}={value}\n".encode()
    length = len(body) + 2
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _pax_path(content: bytes, offset: int) -> str:
    while content:
        length, space, _ = content.partition(b" ")
        if not space or not length.isdigit() or not 0 < int(length) <= len(content):
            break
        key, _, value = content[len(length) + 1 : int(length)].rstrip(b"\n").partition(b"=")
        if key == b"path":
            try:
                return value.decode()
            except UnicodeDecodeError:
                break
        content = content[int(length) :]
    raise BundleError(f"the extended header at byte {offset} is damaged")

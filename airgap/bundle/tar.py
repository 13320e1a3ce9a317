# SPDX-License-Identifier: Apache-2.0
"""The tar format of a bundle: ustar headers (POSIX.1-1988), base-256 sizes from 8 GiB on, PAX headers for long paths.

Every member's offset is computed in advance, so that blobs can be written out of order and read at once. ``tarfile``
cannot write base-256 sizes with a ustar header, and accepts headers that a bundle must not have.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from airgap.bundle.blob_list import BlobList
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.records import Record, field

BLOCK = 512
#: Sizes from here on do not fit the header's eleven octal digits.
_OCTAL_LIMIT = 8 * 1024**3
_MAX_PAX_HEADER = 4096
#: Two zero blocks end a tar (POSIX.1-1988, 10.1.1).
END = bytes(2 * BLOCK)

#: The hint for a damaged bundle.
COPY_AGAIN_HINT = tr("copy the bundle once more from the other side")

_DIGEST_SIZES = tuple(digests.ALGORITHMS.items())

#: Member types in a header.
FILE, DIRECTORY, PAX = b"0", b"5", b"x"

Pread = Callable[[int, int], bytes]
"""``pread(count, offset)`` returns up to ``count`` bytes of the tar from ``offset``."""


class Member(Record):
    """A file or folder in the tar. ``header_offset`` is the offset of its first header block; sizes are in bytes."""

    name: str
    size: int
    header_offset: int
    content_offset: int
    directory: bool = False

    @property
    def header(self) -> bytes:
        """The header blocks that the member must have."""
        return header(self.name, self.size, directory=self.directory)

    @property
    def end(self) -> int:
        """The offset behind the content and its padding."""
        return self.content_offset + padded_size(self.size)


class TarLayout(Record):
    """The offset of every member: first the ``head``, members with their content, then the blobs in order.

    ``places`` maps a blob's digest to its member; ``size`` is the size of the tar without the end marker. ``tail`` are
    the bytes between the last blob and the end marker: signatures.
    """

    head: tuple[tuple[Member, bytes], ...]
    blobs: BlobList
    places: BlobPlaces = field(repr=False)
    size: int
    tail: bytes = field(default=b"", repr=False)

    @property
    def total(self) -> int:
        """The size of the whole file in bytes."""
        return self.size + len(END)


def padded_size(size: int) -> int:
    """Return ``size`` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def blob_name(digest: str) -> str:
    """Return the member name of a blob, as in an OCI image layout."""
    return f"blobs/{digests.algorithm(digest)}/{digests.encoded(digest)}"


def header(name: str, size: int, *, directory: bool = False) -> bytes:
    """Return the header block of a member, with a PAX header before it if the name does not fit the ustar fields."""
    kind = DIRECTORY if directory else FILE
    prefix_and_name = _split_name(name)
    if prefix_and_name is not None:
        return _header_block(prefix_and_name, size, kind)
    record = _pax_record("path", name)
    short_name = name.rpartition("/")[2][:80]
    return (
        _header_block(("", f"PaxHeaders/{short_name}"), len(record), PAX)
        + record.ljust(padded_size(len(record)), b"\0")
        + _header_block(("", short_name), size, kind)
    )


def lay_out(head: Sequence[tuple[str, bytes]], blobs: Iterable[Descriptor]) -> TarLayout:
    """Compute the offset of every member. ``head`` are pairs of a name and its content.

    Each folder gets a member before the files in it: some programs cannot unpack as a normal user without it.
    """
    blobs = BlobList.of(blobs)
    members, offset = place_head([(name, len(content)) for name, content in head], blobs)
    contents = iter(content for _, content in head)
    filled = tuple((member, b"" if member.directory else next(contents)) for member in members)
    places = BlobPlaces(blobs, offset)
    return TarLayout(filled, blobs, places, places.end)


def place_head(head: Sequence[tuple[str, int]], blobs: BlobList) -> tuple[list[Member], int]:
    """Return the members before the blobs, folders included, and the offset behind them. ``head`` are pairs of a name
    and a size; the folders of ``blobs`` come last."""
    members: list[Member] = []
    folders: set[str] = set()

    def add(name: str, size: int, *, directory: bool = False) -> None:
        offset = members[-1].end if members else 0
        members.append(_member_at(name, size, offset, directory=directory))

    def add_parents(name: str) -> None:
        parts = name.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            folder = "/".join(parts[:count]) + "/"
            if folder not in folders:
                folders.add(folder)
                add(folder, 0, directory=True)

    for name, size in head:
        add_parents(name)
        add(name, size)
    add_parents("blobs/sha256/x")
    for algorithm in blobs.algorithms():
        add_parents(f"blobs/{algorithm}/x")
    return members, members[-1].end


class BlobPlaces(Mapping[str, Member]):
    """The member of each blob by digest, the first one's header being at ``offset``. They are made when asked for.

    ``start`` is that offset, ``end`` the one behind the last blob.
    """

    def __init__(self, blobs: BlobList, offset: int) -> None:
        self._blobs = blobs
        self.start = offset
        self._offsets = array("Q")
        self.end = offset
        header_sizes = {name: len(header(blob_name(f"{name}:{'0' * size}"), 0)) for name, size in _DIGEST_SIZES}
        for digest, size in zip(blobs.digests(), blobs.sizes(), strict=True):
            self._offsets.append(self.end)
            self.end += header_sizes[digests.algorithm(digest)] + padded_size(size)

    def at(self, offset: int) -> Member:
        """Return the last blob whose header is not behind ``offset``; there is one from ``start`` on."""
        index = bisect_right(self._offsets, offset) - 1
        blob = self._blobs[index]
        return _member_at(blob_name(blob.digest), blob.size, self._offsets[index])

    def __getitem__(self, digest: str) -> Member:
        index = self._blobs.find(digest)
        if index is None:
            raise KeyError(digest)
        return _member_at(blob_name(digest), self._blobs.sizes()[index], self._offsets[index])

    def __iter__(self) -> Iterator[str]:
        return self._blobs.digests()

    def __len__(self) -> int:
        return len(self._blobs)


def read_member(pread: Pread, offset: int, limit: int | None) -> Member | None:
    """Read the header at ``offset`` and return its member, or ``None`` at the end marker.

    ``limit`` is the size of the tar where it is known. Raises :class:`BundleError` for a member that is not a plain
    file or folder with a relative path, or that ends after ``limit``.
    """
    start, long_name = offset, ""
    while True:
        block = pread(BLOCK, offset)
        if len(block) < BLOCK:
            raise BundleError(tr("cut short: a tar header is missing at byte {offset}", offset=offset))
        if not any(block):
            return None
        name, size, kind = _parse_header(block, offset)
        offset += BLOCK
        if kind == PAX and not long_name:
            if size > _MAX_PAX_HEADER:
                raise BundleError(tr("an extended header of {size} bytes at byte {start}", size=size, start=start))
            long_name = _pax_path(pread(size, offset), start)
            offset += padded_size(size)
            continue
        break
    name = long_name or name
    if kind not in (FILE, DIRECTORY):
        what = {b"1": tr("a hard link"), b"2": tr("a symbolic link")}.get(kind, tr("of the type {kind!r}", kind=kind))
        raise BundleError(
            tr("the member {name!r} is {what}; a bundle holds only plain files and folders", name=name, what=what)
        )
    check_name(name)
    if kind == DIRECTORY and size:
        raise BundleError(tr("the folder {name} has {size} bytes", name=name, size=size))
    if limit is not None and offset + size > limit:
        raise BundleError(
            tr(
                "cut short: {name} should reach byte {offset}, the file has {limit}",
                name=name,
                offset=offset + size,
                limit=limit,
            ),
            hint=COPY_AGAIN_HINT,
        )
    return Member(name, size, start, offset, directory=kind == DIRECTORY)


def _member_at(name: str, size: int, offset: int, *, directory: bool = False) -> Member:
    return Member(name, size, offset, offset + len(header(name, 0, directory=directory)), directory)


def check_name(name: str) -> None:
    """Raise :class:`BundleError` for a member name that leads elsewhere, or that people cannot read."""
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\\" in name or not name.isprintable():
        raise BundleError(tr("the member name {name!r} is not allowed in a bundle", name=name))


def _split_name(name: str) -> tuple[str, str] | None:
    """Split ``name`` at a slash into ustar's prefix of 155 and name of 100 bytes; ``None`` if it does not fit."""
    encoded = name.encode()
    if len(encoded) <= 100:
        return "", name
    for slash in range(len(encoded) - 2, 0, -1):
        if encoded[slash : slash + 1] == b"/" and slash <= 155 and len(encoded) - slash - 1 <= 100:
            return encoded[:slash].decode(), encoded[slash + 1 :].decode()
    return None


def _header_block(prefix_and_name: tuple[str, str], size: int, kind: bytes) -> bytes:
    """Return one ustar header block with fixed owner, mode and time (POSIX.1-1988, 10.1.1)."""
    prefix, name = prefix_and_name
    mode = b"0000755\0" if kind == DIRECTORY else b"0000644\0"
    size_field = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    block = bytearray(BLOCK)
    for offset, value in (
        (0, name.encode()),
        (100, mode),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size_field),
        (136, b"%011o\0" % 0),
        (148, b" " * 8),
        (156, kind),
        (257, b"ustar\x0000"),
        (329, b"0000000\0"),
        (337, b"0000000\0"),
        (345, prefix.encode()),
    ):
        block[offset : offset + len(value)] = value
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _parse_header(block: bytes, offset: int) -> tuple[str, int, bytes]:
    """Return name, size and type of a header block. Raises :class:`BundleError` with the header's ``offset``."""
    # The checksum is computed with eight blanks in its own field.
    checksum = sum(block) - sum(block[148:156]) + 8 * 32
    try:
        if _octal(block[148:156]) != checksum:
            raise BundleError(tr("the tar header at byte {offset} is damaged", offset=offset))
        # A first byte of 0x80 marks a base-256 number (0xff a negative one, which no size is).
        size = int.from_bytes(block[125:136], "big") if block[124] == 0x80 else _octal(block[124:136])
        parts = [block[345:500].rstrip(b"\0").decode(), block[0:100].partition(b"\0")[0].decode()]
    except ValueError as error:
        raise BundleError(tr("what stands at byte {offset} is no tar header", offset=offset)) from error
    kind = block[156:157].replace(b"\0", FILE)
    return "/".join(part for part in parts if part), size, kind


def _octal(text: bytes) -> int:
    """Parse an octal number. Raises :class:`ValueError`, also for signs and underscores, which ``int`` accepts."""
    digits = text.strip(b" \0") or b"0"
    if not digits.isdigit():
        raise ValueError(tr("{text!r} is no octal number", text=text))
    return int(digits, 8)


def _pax_record(key: str, value: str) -> bytes:
    """Return ``LENGTH key=value`` and a newline, where LENGTH includes its own digits (POSIX.1-2001, pax)."""
    body = f" {key}={value}\n".encode()
    length = len(body) + 2
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _pax_path(content: bytes, offset: int) -> str:
    """Return the value of ``path`` in a PAX header. Raises :class:`BundleError` with the header's ``offset``."""
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
    raise BundleError(tr("the extended header at byte {offset} is damaged", offset=offset))

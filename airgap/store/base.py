# SPDX-License-Identifier: Apache-2.0
"""The protocols that every place of content speaks, and the loops that move bytes between them.

The rule of verification: *a push verifies what it takes in, ``fetch`` verifies what it gives out*,
and an open reader gives exactly ``size - offset`` bytes or raises.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from airgap.errors import AirgapError, BundleError, ContentError, DigestMismatch
from airgap.oci import Descriptor
from airgap.oci import digest as digests

#: One buffer of this size a worker: fewer system calls than 64 KiB, and large enough that the GIL,
#: released while hashing and in system calls, is no obstacle.
CHUNK = 1024 * 1024
_DAMAGED = "the medium is damaged; copy the bundle once more to another one"


@contextlib.contextmanager
def reading(where: str, offset: int | None = None) -> Iterator[None]:
    """Raise a failed system call on a local file as :class:`BundleError` with the file and the offset, so that nobody
    takes it for an error of the network."""
    try:
        yield
    except OSError as error:
        what = "cannot read it" if offset is None else f"cannot read it at byte {offset:,}"
        hint = _DAMAGED if error.errno == errno.EIO else None
        raise BundleError(f"{what}: {error.strerror or error}", where=where or None, hint=hint) from error


class Reader(Protocol):
    """A blob's bytes from an offset on. ``readinto`` returns 0 only at the end of the blob; it raises
    :class:`AirgapError` and never :class:`OSError`."""

    def readinto(self, buffer: memoryview, /) -> int: ...
    def close(self) -> None: ...


Opener = Callable[[int], Reader]
"""Opens the same content at an offset, as often as asked, so that a push can start again."""


class FileRange:
    """A reader whose bytes lie in a file, so that a taker may use ``sendfile`` or ``pread`` of its own.

    ``fd`` is owned when ``owned`` is true and is then closed with the reader. ``observe`` is told of every
    count of bytes taken, however they were.
    """

    observe: Callable[[int], None] | None = None

    def __init__(self, fd: int, offset: int, length: int, *, owned: bool = False, where: str = "") -> None:
        self.fd = fd
        self.offset = offset
        self.length = length
        self._owned = owned
        self.where = where

    def readinto(self, buffer: memoryview, /) -> int:
        count = self.peek(buffer)
        if count:
            self.advance(count)
        return count

    def peek(self, buffer: memoryview, skip: int = 0) -> int:
        """Read bytes without taking them, the next ones or those behind ``skip`` others. Raises :class:`BundleError`
        where they cannot be read."""
        length, offset = self.length - skip, self.offset + skip
        if length <= 0:
            return 0
        with reading(self.where, offset):
            count = os.preadv(self.fd, [buffer[: min(len(buffer), length)]], offset)
        if count == 0:
            raise self.cut_short()
        return count

    def cut_short(self) -> AirgapError:
        """The error for a file that ends before the range does."""
        return ContentError(f"the file ends {self.length} bytes too early", where=self.where or None)

    def advance(self, count: int) -> None:
        """Note that ``count`` bytes were taken: whoever uses ``fd`` itself must say so."""
        self.offset += count
        self.length -= count
        if self.observe is not None:
            self.observe(count)

    def close(self) -> None:
        if self._owned:
            self._owned = False
            os.close(self.fd)


class Source(Protocol):
    """Content to read."""

    def resolve(self, name: str) -> Descriptor:
        """The descriptor behind a tag or digest; raise :class:`airgap.errors.NotFound`."""

    def exists(self, descriptor: Descriptor, /) -> bool: ...

    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Raise :class:`airgap.errors.ContentMissing` if it is not here."""


@runtime_checkable
class Store(Source, Protocol):
    """Content to read and write."""

    def push(self, descriptor: Descriptor, opener: Opener, /) -> None:
        """Take content in and verify it; nothing is kept of content that does not hash to its digest."""

    def tag(self, descriptor: Descriptor, name: str, /) -> None:
        """Give content that is already here a name."""


@runtime_checkable
class Checker(Protocol):
    """A source whose bytes lie here: it can tell damage of its own from what a line made of them on the way."""

    def check_blob(self, descriptor: Descriptor, opener: Opener, /) -> None:
        """Read it to its end by ``opener``; damage is :class:`ContentError` or :class:`airgap.errors.BundleError`."""


@runtime_checkable
class Mounter(Protocol):
    """A store that can take a blob from a sibling repository without the bytes moving."""

    def mount(self, descriptor: Descriptor, from_repository: str, /) -> bool: ...


@runtime_checkable
class Listing(Protocol):
    """A store that knows all its names: ``repository:tag`` or ``repository@digest`` → descriptor."""

    def names(self) -> Mapping[str, Descriptor]: ...


@runtime_checkable
class Eraser(Protocol):
    """A store that can forget a name (its content stays) or content with all its names."""

    def untag(self, name: str, /) -> None: ...
    def delete(self, digest: str, /) -> bool: ...


class BytesReader:
    """A reader over bytes in memory."""

    def __init__(self, content: bytes | memoryview, offset: int = 0) -> None:
        self._rest = memoryview(content)[offset:]

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._rest = memoryview(b"")


def opener_of(content: bytes) -> Opener:
    """An opener over bytes in memory."""
    return lambda offset: BytesReader(content, offset)


def fetch(source: Source, descriptor: Descriptor, *, limit: int) -> bytes:
    """Read small content whole and verify it; other content than it should be is read once more.

    Raises :class:`ContentError` beyond ``limit`` bytes and :class:`DigestMismatch`.
    """
    if descriptor.size > limit:
        raise ContentError(f"{descriptor.digest} has {descriptor.size} bytes; at most {limit} are read at once")
    try:
        return _read_whole(source, descriptor)
    except DigestMismatch:
        return _read_whole(source, descriptor)


def _read_whole(source: Source, descriptor: Descriptor) -> bytes:
    content = bytearray(descriptor.size)
    view, filled = memoryview(content), 0
    reader = source.open(descriptor)
    try:
        while filled < descriptor.size:
            with reading(descriptor.digest, filled):
                count = reader.readinto(view[filled:])
            if count == 0:
                raise ContentError(f"{descriptor.digest} ends after {filled} of {descriptor.size} bytes")
            filled += count
    finally:
        reader.close()
    return digests.verify(bytes(content), descriptor.digest)


_scratch = threading.local()


def scratch() -> memoryview:
    """This thread's one buffer of :data:`CHUNK` bytes, for loops that read and hand on."""
    buffer = getattr(_scratch, "buffer", None)
    if buffer is None:
        buffer = _scratch.buffer = memoryview(bytearray(CHUNK))
    return buffer


def drain(
    descriptor: Descriptor,
    reader: Reader,
    take: Callable[[memoryview, int], None],
    *,
    begun: tuple[digests.Hash, int] | None = None,
) -> None:
    """Read a blob to its end, hash it and hand each piece to ``take(piece, offset)``.

    The piece is valid only during the call. The reader begins at the blob's start or, where ``begun`` gives the hash
    of what stands before and its length, behind that. Raises :class:`ContentError` when the reader gives another
    number of bytes than the descriptor says, :class:`DigestMismatch` when they hash to something else.
    """
    buffer = scratch()
    hash_, done = begun or (digests.hasher(descriptor.digest), 0)
    while True:
        with reading(descriptor.digest, done):
            count = reader.readinto(buffer)
        if not count:
            break
        if done + count > descriptor.size:
            raise ContentError(f"{descriptor.digest} is longer than the {descriptor.size} bytes that it should have")
        piece = buffer[:count]
        hash_.update(piece)
        take(piece, done)
        done += count
    if done != descriptor.size:
        raise ContentError(f"{descriptor.digest} ends after {done} of {descriptor.size} bytes")
    if hash_.hexdigest() != digests.encoded(descriptor.digest):
        found = f"{digests.algorithm(descriptor.digest)}:{hash_.hexdigest()}"
        raise DigestMismatch(f"content hashes to {found}, not to {descriptor.digest}")

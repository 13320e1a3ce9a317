# SPDX-License-Identifier: Apache-2.0
"""Readers over memory and files, and the loops that read content and verify it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

from airgap.durable import read_hint
from airgap.errors import AirgapError, BundleError, ContentError, DigestMismatch
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.protocols import Opener, Reader, Source
from airgap.system import read_at

#: Bytes in the read buffer of each worker. Large buffers need fewer system calls, and the GIL is released while a
#: buffer is hashed and in system calls.
BUFFER_SIZE = 1024 * 1024


@contextlib.contextmanager
def translate_read_errors(where: str, offset: int | None = None) -> Iterator[None]:
    """Raise an :class:`OSError` of a local file as :class:`BundleError` with the file and the offset.

    A failed read of a local file is thus never reported as a failure of the network.
    """
    try:
        yield
    except OSError as error:
        what = tr("cannot read it") if offset is None else tr("cannot read it at byte {offset:,}", offset=offset)
        hint = read_hint(error, where) if where else None
        raise BundleError(f"{what}: {error.strerror or error}", where=where or None, hint=hint) from error


class FileRange:
    """A reader over a part of a file. A caller may also read from ``fd`` itself (``sendfile``, ``pread``).

    ``offset`` is the position of the next byte in the file, ``length`` the number of bytes that are left.
    ``owned`` closes ``fd`` with the reader. ``observe`` is called with each number of bytes that was consumed.
    """

    observe: Callable[[int], None] | None = None

    def __init__(self, fd: int, offset: int, length: int, *, owned: bool = False, where: str = "") -> None:
        self.fd = fd
        self.offset = offset
        self.length = length
        self._owned = owned
        self.where = where

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` or a part of it; return the number of bytes, 0 at the end of the range."""
        count = self.peek(buffer)
        if count:
            self.advance(count)
        return count

    def peek(self, buffer: memoryview, skip: int = 0) -> int:
        """Read bytes without consuming them, from ``skip`` bytes after the current position.

        Raises :class:`BundleError` if they cannot be read, :class:`ContentError` if the file is too short.
        """
        length, offset = self.length - skip, self.offset + skip
        if length <= 0:
            return 0
        with translate_read_errors(self.where, offset):
            count = read_at(self.fd, buffer[: min(len(buffer), length)], offset)
        if count == 0:
            raise self.cut_short()
        return count

    def cut_short(self) -> AirgapError:
        """Return the error for a file that ends before the range does."""
        return ContentError(tr("the file ends {length} bytes too early", length=self.length), where=self.where or None)

    def advance(self, count: int) -> None:
        """Consume ``count`` bytes. A caller that reads from ``fd`` itself calls this after each read."""
        self.offset += count
        self.length -= count
        if self.observe is not None:
            self.observe(count)

    def close(self) -> None:
        """Close the file descriptor if the range owns it."""
        if self._owned:
            self._owned = False
            os.close(self.fd)


class BytesReader:
    """A reader over bytes in memory."""

    def __init__(self, content: bytes | memoryview, offset: int = 0) -> None:
        self._rest = memoryview(content)[offset:]

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` or a part of it; return the number of bytes, 0 at the end."""
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Release the content."""
        self._rest = memoryview(b"")


def bytes_opener(content: bytes) -> Opener:
    """Return an opener over bytes in memory."""
    return lambda offset: BytesReader(content, offset)


def fetch(source: Source, descriptor: Descriptor, *, limit: int) -> bytes:
    """Read small content into memory and verify it. If it does not match its digest, it is read a second time.

    Raises :class:`ContentError` for content of more than ``limit`` bytes, and :class:`DigestMismatch`.
    """
    if descriptor.size > limit:
        raise ContentError(
            tr(
                "{digest} has {size} bytes; at most {limit} are read at once",
                digest=descriptor.digest,
                size=descriptor.size,
                limit=limit,
            )
        )
    try:
        return _read_into_memory(source, descriptor)
    except DigestMismatch:
        return _read_into_memory(source, descriptor)


def read_opened(descriptor: Descriptor, opener: Opener) -> bytes:
    """Read small content into memory and verify it. Raises :class:`DigestMismatch`."""
    content, reader = bytearray(descriptor.size), opener(0)
    view, filled = memoryview(content), 0
    try:
        while filled < len(content) and (count := reader.readinto(view[filled:])):
            filled += count
    finally:
        reader.close()
    return digests.verify(bytes(content[:filled]), descriptor.digest)


def _read_into_memory(source: Source, descriptor: Descriptor) -> bytes:
    content = bytearray(descriptor.size)
    view, filled = memoryview(content), 0
    reader = source.open(descriptor)
    try:
        while filled < descriptor.size:
            with translate_read_errors(descriptor.digest, filled):
                count = reader.readinto(view[filled:])
            if count == 0:
                raise ContentError(
                    tr(
                        "{digest} ends after {filled} of {size} bytes",
                        digest=descriptor.digest,
                        filled=filled,
                        size=descriptor.size,
                    )
                )
            filled += count
    finally:
        reader.close()
    return digests.verify(bytes(content), descriptor.digest)


_thread_local = threading.local()


def thread_buffer() -> memoryview:
    """Return the buffer of :data:`BUFFER_SIZE` bytes that belongs to this thread.

    It takes only as much memory as was ever used of it: a server has many threads whose clients send little.
    """
    buffer = getattr(_thread_local, "buffer", None)
    if buffer is None:
        import mmap

        buffer = _thread_local.buffer = memoryview(mmap.mmap(-1, BUFFER_SIZE, flags=mmap.MAP_PRIVATE))
    return buffer


def release_thread_buffer() -> None:
    """Give back the buffer of this thread: for threads that read seldom, and are many."""
    _thread_local.buffer = None


def read_verified(
    descriptor: Descriptor,
    reader: Reader,
    write: Callable[[memoryview, int], None],
    *,
    start: tuple[digests.Hash, int] | None = None,
) -> None:
    """Read a blob to its end, hash it, and call ``write(piece, offset)`` for each piece.

    A piece is valid only during the call. The reader is at the beginning of the blob, or, with ``start``, behind the
    first bytes: ``start`` is the hash of these bytes and their number. Raises :class:`ContentError` if the number of
    bytes differs from the descriptor, :class:`DigestMismatch` if the content does not match the digest.
    """
    buffer = thread_buffer()
    content_hash, position = start or (digests.hasher(descriptor.digest), 0)
    while True:
        with translate_read_errors(descriptor.digest, position):
            count = reader.readinto(buffer)
        if not count:
            break
        if position + count > descriptor.size:
            raise ContentError(
                tr(
                    "{digest} is longer than the {size} bytes that it should have",
                    digest=descriptor.digest,
                    size=descriptor.size,
                )
            )
        piece = buffer[:count]
        content_hash.update(piece)
        write(piece, position)
        position += count
    if position != descriptor.size:
        raise ContentError(
            tr(
                "{digest} ends after {position} of {size} bytes",
                digest=descriptor.digest,
                position=position,
                size=descriptor.size,
            )
        )
    if content_hash.hexdigest() != digests.encoded(descriptor.digest):
        actual = f"{digests.algorithm(descriptor.digest)}:{content_hash.hexdigest()}"
        raise DigestMismatch(tr("content hashes to {actual}, not to {digest}", actual=actual, digest=descriptor.digest))

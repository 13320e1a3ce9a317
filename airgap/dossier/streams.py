# SPDX-License-Identifier: Apache-2.0
"""Buffered streams over what is read once and in order: the blobs of a bundle, and what comes out of decompressors."""

from __future__ import annotations

import io
from abc import abstractmethod

from airgap.errors import DigestMismatch
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.protocols import Reader

BUFFER = 256 * 1024


class Stream(io.BufferedReader):
    """A buffered stream whose first bytes can be looked at without consuming them."""

    def __init__(self, raw: RawStream) -> None:
        super().__init__(raw, BUFFER)

    def start(self, count: int) -> bytes:
        """Return the first bytes, fewer only if there are no more. Call it before anything was read."""
        return self.peek(count)[:count]


class RawStream(io.RawIOBase):
    """The base of what :class:`Stream` buffers. It fills a buffer wholly, so that a ``peek`` is never short."""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override] # these two are passed
        """Fill ``buffer``; return the number of bytes, fewer only at the end."""
        filled, view = 0, memoryview(buffer)
        while filled < len(view) and (count := self.read_some(view[filled:])):
            filled += count
        return filled

    @abstractmethod
    def read_some(self, buffer: memoryview) -> int:
        """Put at least one byte into ``buffer`` and return the number, 0 at the end."""


class BlobStream(RawStream):
    """The bytes of a blob, hashed on the way. Reading raises the errors of the reader, which it closes."""

    def __init__(self, descriptor: Descriptor, reader: Reader) -> None:
        self._descriptor, self._reader = descriptor, reader
        self._hash = digests.hasher(descriptor.digest)

    def read_some(self, buffer: memoryview) -> int:
        """Read from the blob."""
        count = self._reader.readinto(buffer)
        self._hash.update(buffer[:count])
        return count

    def verify(self) -> None:
        """Compare the digest, once everything was read. Raises :class:`DigestMismatch`."""
        if self._hash.hexdigest() != digests.encoded(self._descriptor.digest):
            raise DigestMismatch(tr("the content does not match its digest"), where=self._descriptor.digest)

    def close(self) -> None:
        """Close the reader."""
        if not self.closed:
            self._reader.close()
        super().close()

# SPDX-License-Identifier: Apache-2.0
"""What reader and writer ask of the place where a tar's bytes lie. Offsets are those of the tar, in bytes, whatever
form the bytes have on the medium."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from airgap.errors import AirgapError, BundleError
from airgap.store.protocols import Reader
from airgap.store.readers import translate_read_errors as translate_read_errors


class Medium(Protocol):
    """A tar to read. ``size`` is the tar's, ``None`` where only its end will tell. ``ordered`` bytes are cheap, or to
    be had at all, only from the start to the end: then one worker reads blobs in the order of their places."""

    where: str
    size: int | None
    ordered: bool

    def pread(self, count: int, offset: int) -> bytes:
        """At most ``count`` bytes, fewer only where the tar ends. Raises :class:`BundleError`."""

    def open(self, offset: int, length: int) -> Reader: ...

    def expect(self, total: int) -> None:
        """Raise :class:`BundleError` where it cannot be that the tar has ``total`` bytes."""

    def files_of(self, offset: int, length: int) -> Sequence[str]:
        """The files in which these bytes lie."""

    def close(self) -> None: ...


CUT_SHORT = "copy it once more; its checksum on the other side tells whether the medium is at fault"


class Draft(Protocol):
    """A tar being written, which gets its name by :meth:`finish`. An ``ordered`` one is written by one worker in the
    order of places; what is left out between two writes is zeros. Raises :class:`OutputError` all over."""

    path: Path
    ordered: bool

    def write(self, piece: memoryview, offset: int) -> None: ...

    def read(self, count: int, offset: int) -> bytes:
        """What was written, back; fewer bytes where there is no more."""

    def cut(self, offset: int) -> int:
        """Forget what stands from ``offset`` on where that cannot simply be written over; return from where on it is
        to be written, which may be earlier."""

    def sync(self) -> None:
        """What was written survives a power cut."""

    def finish(self) -> None: ...

    def keep(self) -> None:
        """Stop here and leave what is there for the next run."""

    def discard(self) -> None:
        """Leave nothing behind; after :meth:`finish` or :meth:`keep` this does nothing."""


def check_gap(length: int) -> None:
    """What an ordered draft fills with zeros is padding and the end of a tar, or its writer is at fault."""
    if length > 4096:
        raise AirgapError(f"{length:,} bytes were left out of the bundle")


class Pieces:
    """A reader over bytes that are had by their offset and do not lie in one file as they are."""

    def __init__(self, pread: Callable[[int, int], bytes], offset: int, length: int, where: str) -> None:
        self._pread = pread
        self._offset = offset
        self._left = length
        self._where = where

    def readinto(self, buffer: memoryview, /) -> int:
        piece = self._pread(min(len(buffer), self._left), self._offset)
        if not piece and self._left:
            raise BundleError(f"cut short: {self._left} bytes are missing", where=self._where)
        buffer[: len(piece)] = piece
        self._offset += len(piece)
        self._left -= len(piece)
        return len(piece)

    def close(self) -> None:
        """What the bytes are read from stays open."""

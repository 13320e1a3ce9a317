# SPDX-License-Identifier: Apache-2.0
"""The protocols of this package: :class:`Medium` to read a tar and :class:`Draft` to write one.

All offsets and lengths are bytes of the uncompressed tar, in whatever form the medium stores them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from airgap.errors import AirgapError, BundleError
from airgap.i18n import tr
from airgap.store.protocols import Reader

#: The hint for a bundle that ends too early.
CUT_SHORT_HINT = tr("copy it once more; its checksum on the other side tells whether the medium is at fault")
#: The largest gap between two writes to an ordered draft: a member's padding and the end of the tar are smaller.
_MAX_GAP = 4096


class Medium(Protocol):
    """A tar to read.

    ``where`` names it in messages. ``size`` is the size of the tar, or ``None`` as long as it is unknown. If
    ``ordered`` is true, reading out of order is slow or impossible: one worker then reads the blobs in the order of
    their offsets.
    """

    where: str
    size: int | None
    ordered: bool

    def pread(self, count: int, offset: int) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the tar ends. Raises :class:`BundleError`."""

    def open_range(self, offset: int, length: int) -> Reader:
        """Open a reader for ``length`` bytes from ``offset``. Raises :class:`BundleError`."""

    def expect_size(self, total: int) -> None:
        """Raise :class:`BundleError` if the tar is known to have fewer than ``total`` bytes."""

    def files_at(self, offset: int, length: int) -> Sequence[str]:
        """Return the names of the files that store these bytes."""

    def close(self) -> None:
        """Close all files. Closing twice does nothing."""


class TarOutput(Protocol):
    """Where the bytes of a tar are written. Every method raises :class:`OutputError`.

    If ``ordered`` is true, one worker writes, in the order of the offsets. Bytes that are never written are zeros.
    """

    path: Path
    ordered: bool

    def write(self, piece: memoryview, offset: int) -> None:
        """Write ``piece`` at ``offset``."""

    def read(self, count: int, offset: int) -> bytes:
        """Return up to ``count`` bytes that were written at ``offset``."""

    def rewind(self, offset: int) -> int:
        """Prepare to write again from ``offset``.

        Returns the offset at which writing must continue. It is smaller than ``offset`` where the medium can only be
        cut at certain places.
        """

    def sync(self) -> None:
        """Make everything that was written survive a power cut."""


class Draft(TarOutput, Protocol):
    """An unfinished tar. It gets its final name in :meth:`finish`; one of the three methods ends it."""

    def finish(self) -> None:
        """Write the end of the tar, sync it and give it its final name. Raises :class:`OutputError`."""

    def keep(self) -> None:
        """Close the unfinished file and leave it for the next run."""

    def discard(self) -> None:
        """Close and delete the unfinished file. After :meth:`finish` or :meth:`keep` this does nothing."""


def check_gap(length: int) -> None:
    """Raise :class:`AirgapError` for a gap of ``length`` bytes that is neither padding nor the end of a tar."""
    if length > _MAX_GAP:
        raise AirgapError(tr("{length:,} bytes were left out of the bundle", length=length))


class PreadReader:
    """A reader over ``length`` bytes that ``pread(count, offset)`` returns, from ``offset`` on."""

    def __init__(self, pread: Callable[[int, int], bytes], offset: int, length: int, where: str) -> None:
        self._pread = pread
        self._offset = offset
        self._remaining = length
        self._where = where

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` and return the number of bytes, 0 at the end. Raises :class:`BundleError`."""
        piece = self._pread(min(len(buffer), self._remaining), self._offset)
        if not piece and self._remaining:
            raise BundleError(
                tr("cut short: {remaining} bytes are missing", remaining=self._remaining), where=self._where
            )
        buffer[: len(piece)] = piece
        self._offset += len(piece)
        self._remaining -= len(piece)
        return len(piece)

    def close(self) -> None:
        """Do nothing: the file that ``pread`` reads belongs to the medium."""

# SPDX-License-Identifier: Apache-2.0
"""The limits on what one blob may unpack to, all archives in it together (``archive-…`` in ``airgap/limits.py``)."""

from __future__ import annotations

from airgap import limits
from airgap.errors import ContentError
from airgap.i18n import tr

#: Unpacked bytes below which ``archive-ratio`` is not applied: small files of one repeated byte are common.
_RATIO_FLOOR = 64 * 1024 * 1024


class LimitExceeded(ContentError):
    """The blob has used up its budget: nothing more of it is unpacked."""


class Budget:
    """Counts what a blob of ``size`` bytes unpacks to. ``where`` names it in errors. Not for several threads."""

    def __init__(self, size: int, where: str) -> None:
        self.where = where
        self._size = size
        self._entries = 0
        self._unpacked = 0

    def add_entry(self) -> None:
        """Count an entry of an archive. Raises :class:`LimitExceeded`."""
        self._entries += 1
        if self._entries > limits.value("archive-entries"):
            raise LimitExceeded(
                tr("has more than {count:,} entries", count=limits.value("archive-entries")),
                where=self.where,
                hint=limits.hint("archive-entries"),
            )

    def add_bytes(self, count: int) -> None:
        """Count unpacked bytes. Raises :class:`LimitExceeded`."""
        self._unpacked += count
        most = limits.value("archive-bytes")
        if self._unpacked > most:
            raise LimitExceeded(
                tr("unpacks to more than {most:,} bytes", most=most),
                where=self.where,
                hint=limits.hint("archive-bytes"),
            )
        ratio = limits.value("archive-ratio")
        if self._unpacked > _RATIO_FLOOR and self._unpacked > ratio * self._size:
            raise LimitExceeded(
                tr("unpacks to more than {ratio:,} times its size", ratio=ratio),
                where=self.where,
                hint=limits.hint("archive-ratio"),
            )

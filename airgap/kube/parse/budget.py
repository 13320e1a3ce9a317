# SPDX-License-Identifier: Apache-2.0
"""The budget of one resource file: how much memory and work its scan may take, whatever it holds.

A few megabytes of YAML can name hundreds of thousands of images, or hold documents whose escapes are inside each other.
The scan charges what it keeps and does to the budget of the file. Past a limit of the table (``airgap/limits.py``) it
raises :class:`OverBudget`, and the file is not read; others are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from airgap import limits
from airgap.errors import ResourceError
from airgap.i18n import tr

#: About the bytes of a value that is kept until its object ends, with its place; of a found image; of a value that is
#: listed; and of a piece and a line of a value while they are mapped to the file.
PENDING, SITE, MISS, PIECE, LINE = 512, 1_536, 768, 24, 256
#: Steps of one event of each parser; a character of a value that is read as a document or as text is one step.
YAML_EVENT, JSON_EVENT = 16, 4


class OverBudget(ResourceError):
    """A file that would take more than a limit allows."""


class Budget:
    """What the scan of one file has kept, in bytes, and done, in steps."""

    def __init__(self) -> None:
        self._memory = limits.value("resource-memory")
        self._work = limits.value("resource-work")
        #: The bytes of what is kept; a document that does not parse gives back what it was charged.
        self.kept = 0
        self._done = 0
        #: The values that wait for the end of their objects, in the documents around the one that is read.
        self.pending = 0

    def keep(self, size: int, where: Callable[[], str]) -> None:
        """Charge ``size`` bytes that are kept until the scan ends. Raises :class:`OverBudget`."""
        self.kept += size
        if self.kept + self.pending * PENDING > self._memory:
            self.hold(0, where)

    def hold(self, size: int, where: Callable[[], str]) -> None:
        """Check that ``size`` bytes can be kept for a while. Raises :class:`OverBudget`."""
        if self.kept + self.pending * PENDING + size > self._memory:
            raise OverBudget(
                tr("to read this file would take more than {limit:,} bytes of memory", limit=self._memory),
                where=where(),
                hint=limits.hint("resource-memory"),
            )

    def spend(self, steps: int, where: Callable[[], str]) -> None:
        """Charge ``steps`` of work. Raises :class:`OverBudget`."""
        self._done += steps
        if self._done > self._work:
            raise OverBudget(
                tr("to read this file would take more than {limit:,} steps", limit=self._work),
                where=where(),
                hint=limits.hint("resource-work"),
            )


def read_bounded(stream: BinaryIO, path: str) -> bytes:
    """Return the rest of ``stream``. Raises :class:`OverBudget` past ``resource-bytes``."""
    content = stream.read(limits.value("resource-bytes") + 1)
    if len(content) > limits.value("resource-bytes"):
        raise too_large(path)
    return content


def too_large(path: str, size: int | None = None) -> OverBudget:
    """Return the error for a file of more than ``resource-bytes``; ``size`` is that of the file, if it is known."""
    limit = limits.value("resource-bytes")
    what = (
        tr("this file has more than {limit:,} bytes", limit=limit)
        if size is None
        else tr("this file has {size:,} bytes, more than {limit:,}", size=size, limit=limit)
    )
    return OverBudget(what, where=path, hint=limits.hint("resource-bytes"))

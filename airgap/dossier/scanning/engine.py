# SPDX-License-Identifier: Apache-2.0
"""What scans a file: the protocol, and its errors."""

from __future__ import annotations

import hashlib
from typing import Protocol

from airgap.dossier.scanning.spool import Spool
from airgap.records import Record

#: The test file of the European Institute for Computer Antivirus Research, which every engine reports and which does
#: nothing. It is in two parts here, or engines would report this program.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" + b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class EngineIdentity(Record):
    """An engine with its signatures: ``database`` and ``date`` are empty where they are not known."""

    name: str
    database: str = ""
    date: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others, for verdicts that are kept; empty if the database is not known."""
        if not self.database and not self.date:
            return ""
        return hashlib.sha256("\0".join((self.name, self.database, self.date)).encode()).hexdigest()


class Engine(Protocol):
    """An engine. Its methods may be called by several threads at once.

    ``named_files`` says that it needs a path that other programs can open.
    """

    named_files: bool

    def identify(self) -> EngineIdentity:
        """Return name and database. Raises :class:`airgap.errors.ScanFailure` if it does not answer."""

    def scan(self, spool: Spool) -> str:
        """Return the name of what was found, empty for nothing.

        Raises :class:`Unscannable` for this file, :class:`airgap.errors.ScanFailure` for an engine that has failed.
        """

    def abort(self) -> None:
        """End the scans that are running, because nobody waits for their results."""

    def accepts(self, size: int) -> bool:
        """Whether it scans a file of this size to its end."""

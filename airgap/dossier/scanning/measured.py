# SPDX-License-Identifier: Apache-2.0
"""Measures how large a file clamd scans, and whether it finds anything at all.

clamd answers ``OK`` for a file above its ``MaxFileSize`` or ``MaxScanSize``, which it has not looked at, and does not
tell these limits. So it is given files of zeros with the EICAR test file at their beginning, in a tar: if it does not
report that one, it does not scan files of this size.
"""

from __future__ import annotations

import tarfile
import threading

from airgap.dossier.scanning.clamd import Clamd
from airgap.dossier.scanning.engine import EICAR, EngineIdentity
from airgap.dossier.scanning.spool import Spool
from airgap.dossier.scanning.unscannable import Unscannable
from airgap.errors import NotReady
from airgap.i18n import tr

#: The first size that is measured; larger ones are powers of two first, so that few measurements are needed.
_FIRST = 1024 * 1024


class MeasuredClamd:
    """A clamd whose limits are measured where a file needs it. Raises :class:`NotReady` if it misses EICAR."""

    named_files = False

    def __init__(self, clamd: Clamd) -> None:
        self._clamd = clamd
        self._lock = threading.Lock()
        self._accepted, self._refused = 0, 0
        if not self._finds(_FIRST):
            raise NotReady(
                tr("clamd does not find the EICAR test file: it has no signatures, or scans no archives"),
                where=clamd.address,
                hint=tr("freshclam fetches its signatures; ScanArchive must be on"),
            )
        self._accepted = _FIRST

    def identify(self) -> EngineIdentity:
        """Ask clamd. Raises :class:`airgap.errors.ScanFailure`."""
        return self._clamd.identify()

    def scan(self, spool: Spool) -> str:
        """Scan by clamd. Raises what :meth:`Clamd.scan` raises."""
        return self._clamd.scan(spool)

    def abort(self) -> None:
        """Close the connections to clamd."""
        self._clamd.abort()

    def accepts(self, size: int) -> bool:
        """Whether clamd scans files of this size; measures it if it is not known. Raises :class:`ScanFailure`."""
        with self._lock:
            if size > self._accepted and (not self._refused or size < self._refused):
                rounded = 1 << (size - 1).bit_length()
                for candidate in (rounded, size):
                    if self._refused and candidate >= self._refused:
                        continue
                    if self._finds(candidate):
                        self._accepted = candidate
                        break
                    self._refused = candidate
            return size <= self._accepted

    def _finds(self, size: int) -> bool:
        """Whether EICAR is found at the beginning of a file of ``size`` bytes, most of which is a hole."""
        info = tarfile.TarInfo("eicar.com")
        info.size = len(EICAR)
        spool = Spool()
        try:
            spool.write(info.tobuf() + EICAR.ljust(tarfile.BLOCKSIZE, b"\0"))
            spool.extend(size)
            return bool(self._clamd.scan(spool))
        except Unscannable:
            return False
        finally:
            spool.release()

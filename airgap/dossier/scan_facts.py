# SPDX-License-Identifier: Apache-2.0
"""The scan that goes into a dossier: the first ``scan.json`` in some folders that is of this bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from airgap.dossier.facts import ScanEntry, ScanFacts
from airgap.dossier.scanning.result import ScannedFile, ScanResult, read_scan
from airgap.errors import BundleError
from airgap.events import Sink, Warned
from airgap.i18n import tr

#: The name under which ``airgap scan`` writes its result.
FILE = "scan.json"


def named_scan(path: Path, root: str) -> ScanFacts:
    """Return the scan in a file. Raises :class:`BundleError` if it is of another bundle, or no result of a scan, and
    :class:`airgap.errors.UsageError` if it cannot be read."""
    result = read_scan(path)
    if f"sha256:{result.bundle}" != root:
        raise BundleError(
            tr("this scan is of another bundle, whose root digest is {root}", root=f"sha256:{result.bundle}"),
            where=str(path),
            hint=tr("airgap scan BUNDLE scans this one"),
        )
    return _facts(result, hashlib.sha256(path.read_bytes()).hexdigest())


def found_scan(folders: Iterable[Path], root: str, emit: Sink) -> ScanFacts | None:
    """Return the scan of this bundle in the first of ``folders`` that has one; warn about others."""
    for path in dict.fromkeys(folder / FILE for folder in folders):
        if not path.is_file():
            continue
        try:
            return named_scan(path, root)
        except BundleError as error:
            emit(Warned(tr("{error}; it is not in the dossier", error=error)))
    return None


def _facts(result: ScanResult, sha256: str) -> ScanFacts:
    engine = result.engine
    return ScanFacts(
        sha256,
        engine.name,
        engine.database,
        engine.date,
        result.files,
        result.size,
        result.reused,
        result.findings,
        result.omissions,
        [_entry(file, result) for file in result.found],
        [_entry(file, result) for file in result.not_scanned],
    )


def _entry(file: ScannedFile, result: ScanResult) -> ScanEntry:
    return ScanEntry(file.place, file.file, file.what, file.reason, result.users.get(file.place, ()))

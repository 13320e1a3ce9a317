# SPDX-License-Identifier: Apache-2.0
"""``airgap history``: reads the history of imports, and checks it while it does."""

from __future__ import annotations

from pathlib import Path

from airgap.dossier.history import FILE, HistoryEntry, read
from airgap.durable import read_hint
from airgap.errors import OutputError, SignatureFailure
from airgap.i18n import tr


def read_history(folder: Path, contains: str | None = None) -> list[HistoryEntry]:
    """Return all entries, none where nothing was imported yet. One of them must have the hash ``contains``.

    Raises :class:`SignatureFailure` for a history that was changed, and :class:`OutputError` for one that cannot be
    read.
    """
    path = folder / FILE
    try:
        entries = list(read(path))
    except OSError as error:
        raise OutputError(
            tr("cannot be read: {strerror}", strerror=error.strerror), where=str(path), hint=read_hint(error, path)
        ) from error
    if contains is not None and all(entry.hash != contains.strip().lower() for entry in entries):
        raise SignatureFailure(
            tr("no line has the hash {hash}: lines were removed, or all of it was made anew", hash=contains[:80]),
            where=str(path),
            hint=tr("keep the file as it is; a copy of it elsewhere tells more"),
        )
    return entries

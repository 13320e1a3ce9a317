# SPDX-License-Identifier: Apache-2.0
"""``airgap state``: what earlier runs left in the state folder for their next run, and its removal.

Only files that airgap made are listed and removed: their names and their first lines tell. A file that a running airgap
has locked stays.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from airgap.durable import FileLocked, Journal, lock, missing_file
from airgap.errors import OutputError
from airgap.i18n import tr
from airgap.records import Record

#: ``uploads`` are the unfinished uploads of an import or a migration; ``migration`` is what a migration has done.
StateKind = Literal["uploads", "migration"]

_NAME = re.compile(r"(import|migrate)-[0-9a-f]{24}\.(jsonl|uploads)", re.ASCII)


class StateFile(Record):
    """One file of the state folder.

    ``source`` is a bundle's ID or the registry that is copied from; ``entries`` counts unfinished uploads or copied
    tags. ``modified`` is in seconds since 1970, ``size`` in bytes.
    """

    path: Path
    kind: StateKind
    source: str
    target: str
    shard: str
    entries: int
    size: int
    modified: float
    in_use: bool

    def to_json(self) -> dict[str, Any]:
        """Return the file as ``state --json`` prints it."""
        values = {name: getattr(self, name) for name in ("kind", "source", "target", "entries", "size", "in_use")}
        return {"file": str(self.path), **values, "shard": self.shard or None, "modified": int(self.modified)}


def list_state(folder: Path) -> list[StateFile]:
    """Return the state files of ``folder``, the newest first; none if there is no such folder.

    Raises :class:`OutputError` if the folder cannot be read.
    """
    try:
        paths = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(tr("cannot be read: {strerror}", strerror=error.strerror), where=str(folder)) from error
    found = [file for path in paths if (file := _read(path)) is not None]
    return sorted(found, key=lambda file: (-file.modified, file.path.name))


def clean_state(
    folder: Path, names: Sequence[str], *, migrations: bool, dry_run: bool
) -> tuple[list[StateFile], list[StateFile]]:
    """Remove state files; return those that were removed, and those that stay because a running airgap has them.

    ``names`` are the files to remove; without any, all unfinished uploads are removed, and with ``migrations`` all
    files. Raises :class:`airgap.errors.UsageError` for a name that is not there, :class:`OutputError` if a file cannot
    be removed.
    """
    files = list_state(folder)
    by_name = {file.path.name: file for file in files}
    for name in names:
        if name not in by_name:
            raise missing_file(folder / name, hint=tr("airgap state lists what is there"))
    chosen = [by_name[name] for name in names] or [file for file in files if migrations or file.kind == "uploads"]
    removed: list[StateFile] = []
    kept: list[StateFile] = []
    for file in dict.fromkeys(chosen):
        is_free = not file.in_use if dry_run else _remove(file.path)
        (removed if is_free else kept).append(file)
    return removed, kept


def _remove(path: Path) -> bool:
    """Remove a file unless another process has locked it; return whether it is gone."""
    try:
        journal = Journal.open(path, create=False)
    except FileNotFoundError:
        return True
    except FileLocked:
        return False
    except OSError as error:
        raise _cannot_remove(path, error) from error
    try:
        journal.remove()
    except OSError as error:
        raise _cannot_remove(path, error) from error
    return True


def _cannot_remove(path: Path, error: OSError) -> OutputError:
    return OutputError(tr("cannot be removed: {strerror}", strerror=error.strerror), where=str(path))


def _read(path: Path) -> StateFile | None:
    """Return what a file holds; ``None`` for one that airgap did not make, or that has just gone or is damaged."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return None
        entries = Journal.read(path)
        in_use = _is_locked(path)
    except OSError:
        return None
    head = entries[0] if entries else {}
    target = head.get("target")
    source = head.get("bundle") if path.name.startswith("import-") else head.get("source")
    if not isinstance(target, str) or not isinstance(source, str):
        return None
    has_uploads = path.name.startswith("import-") or path.suffix == ".uploads"
    kind: StateKind = "uploads" if has_uploads else "migration"
    count = _count_uploads(entries[1:]) if has_uploads else len({entry["tag"] for entry in entries if "tag" in entry})
    shard = str(head.get("shard") or "")
    return StateFile(path, kind, source, target, shard, count, status.st_size, status.st_mtime, in_use)


def _count_uploads(entries: Sequence[dict[str, Any]]) -> int:
    locations = {(str(entry.get("repository")), str(entry.get("digest"))): entry.get("location") for entry in entries}
    return sum(bool(location) for location in locations.values())


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            lock(file.fileno())
        except FileLocked:
            return True
    return False

# SPDX-License-Identifier: Apache-2.0
"""Files of nodes below a folder: planned against what is there, then written whole, with a copy of what was there."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from airgap.durable import replace_file
from airgap.durable.output import inside
from airgap.errors import AirgapError, OutputError
from airgap.nodes import NodeFile, Setup
from airgap.records import Record

_BACKUP = ".before-airgap"


class Change(Record):
    """``before`` is ``None`` where nothing is there; ``secret`` content is never shown."""

    path: Path
    before: bytes | None
    after: bytes
    secret: bool = False

    @property
    def needed(self) -> bool:
        return self.before != self.after


def plan(setup: Setup, folder: Path, *, node: bool) -> list[Change]:
    """What would become of each file below ``folder``: a node's own root (``node``), or a folder to be carried there.

    Everything is merged before anything is written: a file that cannot be understood stops it all.
    """
    changes = []
    for file in setup.files:
        change = _change(folder, file)
        if change.before is not None or not (file.merged_only or (file.node_only and not node)):
            changes.append(change)
    snippets = () if node else setup.snippets.items()
    changes += [plain(folder, name, content) for name, content in snippets]
    return changes


def plain(folder: Path, name: str, content: bytes, *, secret: bool = False) -> Change:
    """A file of our own below ``folder``."""
    path = inside(folder, name)
    return Change(path, _read(path), content, secret)


def write(changes: Sequence[Change]) -> list[tuple[Path, Path | None]]:
    """Write what is needed, each file whole, after a copy of what was there; the files and their copies, in order."""
    done: list[tuple[Path, Path | None]] = []
    for change in changes:
        if not change.needed:
            continue
        mode, owner, backup = 0o600 if change.secret else 0o644, None, None
        try:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            if change.before is not None:
                status = change.path.stat()
                mode = mode if change.secret else stat.S_IMODE(status.st_mode)
                owner = status.st_uid, status.st_gid
                backup = _free(change.path)
                replace_file(backup, change.before, mode=mode, owner=owner)
            replace_file(change.path, change.after, mode=mode, owner=owner)
        except OSError as error:
            raise OutputError(f"cannot write: {error.strerror}", where=str(error.filename or change.path)) from error
        done.append((change.path, backup))
    return done


def _change(folder: Path, file: NodeFile) -> Change:
    path = inside(folder, file.path.lstrip("/"))
    before = _read(path)
    try:
        after = file.content if before is None else file.merge(before)
    except AirgapError as error:
        line = error.where.removeprefix(file.path) if error.where and error.where.startswith(f"{file.path}:") else ""
        error.where = f"{path}{line}"
        raise
    return Change(path, before, after)


def _read(path: Path) -> bytes | None:
    try:
        if path.exists() and not path.is_file():
            raise OutputError("something that is no file is already there", where=str(path))
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"cannot read it: {error.strerror}", where=str(path)) from error


def _free(path: Path) -> Path:
    backup = path.with_name(path.name + _BACKUP)
    number = 1
    while os.path.lexists(backup):
        number += 1
        backup = path.with_name(f"{path.name}{_BACKUP}.{number}")
    return backup

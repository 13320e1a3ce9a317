# SPDX-License-Identifier: Apache-2.0
"""Node files in a folder: compares them with what exists, then writes them, with a backup of each existing file."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from airgap import limits
from airgap.durable import replace_file
from airgap.durable.output import inside
from airgap.errors import AirgapError, OutputError
from airgap.i18n import tr
from airgap.nodes.model import Create, NodeFile, NodeSetup
from airgap.records import Record

_BACKUP_SUFFIX = ".before-airgap"


class FileChange(Record):
    """The content of a file before and after. ``before`` is ``None`` if it does not exist; ``secret`` content is not
    shown to the user."""

    path: Path
    before: bytes | None
    after: bytes
    secret: bool = False

    @property
    def needed(self) -> bool:
        """Whether the content changes."""
        return self.before != self.after


def plan_changes(setup: NodeSetup, folder: Path, *, on_node: bool) -> list[FileChange]:
    """Return the change to each file of ``setup`` below ``folder``, the unneeded ones included.

    ``on_node`` tells that ``folder`` is the root of a node; otherwise its files are to be copied to nodes, and the
    snippets are added. Nothing is written. Raises the :class:`AirgapError` of the first file that cannot be merged.
    """
    changes = []
    for file in setup.files:
        change = _plan_change(folder, file)
        created = file.create is Create.ALWAYS or (file.create is Create.ON_NODE and on_node)
        if created or change.before is not None:
            changes.append(change)
    snippets = () if on_node else setup.snippets.items()
    changes += [new_file(folder, name, content) for name, content in snippets]
    return changes


def new_file(folder: Path, name: str, content: bytes, *, secret: bool = False) -> FileChange:
    """Return the change that replaces the file ``name`` below ``folder`` by ``content``."""
    path = inside(folder, name)
    return FileChange(path, _read(path), content, secret)


def write_changes(changes: Sequence[FileChange]) -> list[tuple[Path, Path | None]]:
    """Write the needed changes, each file atomically, and return (file, its backup) pairs.

    Existing files keep mode and owner, and are first copied to a backup; secret files get mode 0600.
    """
    written: list[tuple[Path, Path | None]] = []
    for change in changes:
        if not change.needed:
            continue
        mode, owner, backup = 0o600 if change.secret else None, None, None
        try:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            if change.before is not None:
                status = change.path.stat()
                mode = 0o600 if change.secret else stat.S_IMODE(status.st_mode)
                owner = status.st_uid, status.st_gid
                backup = _backup_path(change.path)
                replace_file(backup, change.before, mode=mode, owner=owner)
            replace_file(change.path, change.after, mode=mode, owner=owner)
        except OSError as error:
            raise OutputError(
                tr("cannot write: {strerror}", strerror=error.strerror), where=str(error.filename or change.path)
            ) from error
        written.append((change.path, backup))
    return written


def _plan_change(folder: Path, file: NodeFile) -> FileChange:
    path = inside(folder, file.path.lstrip("/"))
    before = _read(path)
    try:
        after = file.content if before is None else file.merge(before)
    except AirgapError as error:
        # The error names the path on the node, perhaps with a line; tell where the file is below ``folder``.
        line = error.where.removeprefix(file.path) if error.where and error.where.startswith(f"{file.path}:") else ""
        error.where = f"{path}{line}"
        raise
    return FileChange(path, before, after)


def _read(path: Path) -> bytes | None:
    try:
        if path.exists() and not path.is_file():
            raise OutputError(tr("something that is no file is already there"), where=str(path))
        most = limits.value("node-settings-bytes")
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise OutputError(
                tr("this file has more than {most:,} bytes", most=most),
                where=str(path),
                hint=limits.hint("node-settings-bytes"),
            )
        return content
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(tr("cannot read it: {strerror}", strerror=error.strerror), where=str(path)) from error


def _backup_path(path: Path) -> Path:
    """``NAME.before-airgap``, or with ``.2``, ``.3`` and so on if that exists."""
    backup = path.with_name(path.name + _BACKUP_SUFFIX)
    number = 1
    while os.path.lexists(backup):
        number += 1
        backup = path.with_name(f"{path.name}{_BACKUP_SUFFIX}.{number}")
    return backup

# SPDX-License-Identifier: Apache-2.0
"""The files that a migration keeps for its next run: its journal, and the uploads that have begun."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.config.state import state_folder
from airgap.errors import OutputError, UsageError
from airgap.events import Sink, Warned
from airgap.flows.migrate.journal import MigrationJournal
from airgap.flows.migrate.migration import MigrateRequest
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.registry import Registries


@contextmanager
def open_journal(
    request: MigrateRequest, registries: Registries, folder: str | None, emit: Sink
) -> Iterator[MigrationJournal]:
    """The journal of this pair of registries, locked until the end of the block. It lies in ``folder``, by default in
    airgap's state folder. ``registries`` keep their uploads in a file beside it.

    Raises :class:`OutputError` if ``folder`` was given and cannot be written; if the default folder cannot, warns and
    goes on without a file. A dry run writes nothing.
    """
    if folder is not None and not folder:
        raise UsageError(tr("--state names no folder"))
    head = {"source": str(request.source), "target": str(request.target)}
    try:
        path = (Path(folder) if folder else state_folder(os.environ)) / _file_name(request)
        journal = MigrationJournal.read(path, head) if request.dry_run else MigrationJournal.open(path, head, emit)
    except OutputError as error:
        if folder:
            raise
        emit(
            Warned(tr("{error}; after a kill more will be asked, and --delta will know of no earlier run", error=error))
        )
        journal = MigrationJournal()
    try:
        if journal.is_open:
            with _upload_sessions(request, registries, path.with_suffix(".uploads"), head, emit):
                yield journal
        else:
            yield journal
    finally:
        journal.close()


@contextmanager
def _upload_sessions(
    request: MigrateRequest, registries: Registries, path: Path, head: dict[str, str], emit: Sink
) -> Iterator[None]:
    """Keep the target's upload sessions in the file at ``path``, which is removed when the block succeeds."""
    from airgap.registry import SessionJournal

    address = registries.client(request.target.registry).base_url
    sessions = SessionJournal.open(path, {**head, "address": address}, emit)
    succeeded = False
    try:
        registries.use_sessions(request.target.registry, sessions)
        yield
        succeeded = True
    finally:
        sessions.close(whole=succeeded)


def _file_name(request: MigrateRequest) -> str:
    """One file for each pair of registries."""
    pair = f"{request.source} {request.target}"
    return f"migrate-{hashlib.sha256(pair.encode()).hexdigest()[:24]}.jsonl"

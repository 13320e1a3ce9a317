# SPDX-License-Identifier: Apache-2.0
"""The state that an import keeps for its next run: a journal of the uploads that are not finished.

It is kept in the user's state folder, not beside the bundle, which may be on a read-only medium.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.errors import OutputError, UsageError
from airgap.events import Sink, Warned
from airgap.i18n import tr
from airgap.targets import TargetAddress
from airgap.transfer.shard import Shard

if TYPE_CHECKING:
    from airgap.registry import Registries, SessionJournal


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return ``$XDG_STATE_HOME/airgap``, by default ``~/.local/state/airgap``.

    A relative ``XDG_STATE_HOME`` is ignored, as the XDG base directory specification says. Raises :class:`OutputError`
    for a user without a home folder.
    """
    home = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        user_home = environment.get("HOME") or os.path.expanduser("~")
        if not os.path.isabs(user_home):
            raise OutputError(tr("this user has no home folder"), hint=tr("--state DIR chooses a folder"))
        home = os.path.join(user_home, ".local", "state")
    return Path(home) / "airgap"


@contextmanager
def keep_upload_journal(
    registries: Registries, address: TargetAddress, bundle_id: str, shard: Shard | None, folder: str | None, emit: Sink
) -> Iterator[None]:
    """Keep a locked journal of uploads while the block runs; delete it when the block ends without an exception.

    Raises :class:`airgap.errors.NotReady` if another import holds the lock, and :class:`OutputError` if ``folder``
    cannot be written. If the default folder cannot be written, warns and continues without a journal.
    """
    journal = _open_journal(registries, address, bundle_id, shard, folder, emit)
    if journal is None:
        yield
        return
    registries.use_sessions(address.registry, journal)
    try:
        yield
    except BaseException:
        journal.close()
        raise
    journal.close(whole=True)


def _open_journal(
    registries: Registries, address: TargetAddress, bundle_id: str, shard: Shard | None, folder: str | None, emit: Sink
) -> SessionJournal | None:
    from airgap.registry import SessionJournal

    head = {
        "target": str(address),
        "address": registries.client(address.registry).base_url,
        "bundle": bundle_id,
        "shard": str(shard) if shard else None,
    }
    name = hashlib.sha256("\n".join((head["target"] or "", bundle_id, head["shard"] or "")).encode()).hexdigest()[:24]
    if folder is not None and not folder:
        raise UsageError(tr("--state names no folder"))
    try:
        journal_folder = Path(folder) if folder else state_folder(os.environ)
        return SessionJournal.open(journal_folder / f"import-{name}.jsonl", head, emit)
    except OutputError as error:
        if folder:
            raise
        emit(Warned(tr("{error}; a blob that is half sent when this import is killed will begin again", error=error)))
        return None

# SPDX-License-Identifier: Apache-2.0
"""What an import leaves for the next run of the same command: which uploads the registry has half of.

It lies in the user's state folder and not beside the bundle, which may be on a medium that cannot be written.
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
from airgap.targets import TargetAddress
from airgap.transfer.shard import Shard

if TYPE_CHECKING:
    from airgap.registry import Registries, SessionJournal


def state_folder(environment: Mapping[str, str]) -> Path:
    """``$XDG_STATE_HOME/airgap``; by the base directory specification a relative path there is ignored."""
    home = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(environment.get("HOME") or os.path.expanduser("~"), ".local", "state")
    return Path(home) / "airgap"


@contextmanager
def remembered(
    registries: Registries, address: TargetAddress, bundle: str, shard: Shard | None, folder: str | None, emit: Sink
) -> Iterator[None]:
    """Keep a journal of uploads while the block runs, and its lock; the journal goes when the block ends well.

    ``bundle`` is the bundle's ID. Raises :class:`airgap.errors.NotReady` where another import holds the lock. A
    ``folder`` that was asked for must be writable; without the default one it goes on with a warning.
    """
    journal = _journal(registries, address, bundle, shard, folder, emit)
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


def _journal(
    registries: Registries, address: TargetAddress, bundle: str, shard: Shard | None, folder: str | None, emit: Sink
) -> SessionJournal | None:
    from airgap.registry import SessionJournal

    head = {
        "target": str(address),
        "address": registries.client(address.registry).base_url,
        "bundle": bundle,
        "shard": str(shard) if shard else None,
    }
    name = hashlib.sha256("\n".join((head["target"] or "", bundle, head["shard"] or "")).encode()).hexdigest()[:24]
    place = Path(folder) if folder else state_folder(os.environ)
    if folder is not None and not folder:
        raise UsageError("--state names no folder")
    try:
        return SessionJournal.open(place / f"import-{name}.jsonl", head, emit)
    except OutputError as error:
        if folder:
            raise
        emit(Warned(f"{error}; a blob that is half sent when this import is killed will begin again"))
        return None

# SPDX-License-Identifier: Apache-2.0
"""What must survive a kill or a power cut: append-only journals and atomically replaced files.

``journal`` is the append-only file; ``files`` locks, syncs and replaces files; ``output`` checks places for output
before work is done for them; ``resumable_folder`` keeps what is finished of one; ``reading`` says what a missing or
unreadable file means. This room knows no bundle, no registry and no resource file.
"""

from airgap.durable.files import (
    FileLocked,
    create_temporary,
    is_same_file,
    lock,
    locked_folder,
    new_file_mode,
    publish,
    replace_file,
    sweep_temporaries,
    sync_folder,
    write_at,
    writing,
)
from airgap.durable.journal import Journal
from airgap.durable.reading import missing_file, read_hint, require_file

__all__ = [
    "FileLocked",
    "Journal",
    "create_temporary",
    "is_same_file",
    "lock",
    "locked_folder",
    "missing_file",
    "new_file_mode",
    "publish",
    "read_hint",
    "replace_file",
    "require_file",
    "sweep_temporaries",
    "sync_folder",
    "write_at",
    "writing",
]

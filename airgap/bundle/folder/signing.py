# SPDX-License-Identifier: Apache-2.0
"""Adds a signature to a bundle in a folder: as one more file, also in the lists of checksums beside the folder."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from airgap.bundle.media.checksums import checksums_path, format_checksums, read_checksums, refresh_csv
from airgap.bundle.tail import SIGNATURES_FOLDER
from airgap.durable import replace_file, sync_folder, writing
from airgap.errors import OutputError
from airgap.i18n import tr


def add_to_folder(folder: Path, name: str, content: bytes) -> None:
    """Write the signature that is called ``name`` in a bundle, or replace it. Raises :class:`OutputError`."""
    signatures = folder / SIGNATURES_FOLDER
    with writing(signatures):
        signatures.mkdir(exist_ok=True)
        for place in (signatures.parent, signatures):
            if not stat.S_ISDIR(os.lstat(place).st_mode):
                raise OutputError(tr("a link leads out of the output folder"), where=str(place))
        sync_folder(signatures.parent)
        replace_file(signatures / name, content)
    path = checksums_path(folder)
    checksums = read_checksums(path, below=True)
    if checksums:
        checksums[f"{folder.name}/{SIGNATURES_FOLDER}{name}"] = hashlib.sha256(content).hexdigest()
        with writing(path):
            replace_file(path, format_checksums(sorted(checksums.items())))
    refresh_csv(folder)

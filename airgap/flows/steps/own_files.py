# SPDX-License-Identifier: Apache-2.0
"""airgap's own files in a folder of resource files, which are not resources: what it reads and what it has written."""

from __future__ import annotations

import os
from pathlib import Path

from airgap.artifacts.workspace import FETCHED, FOLDER_SUFFIX
from airgap.bundle.documents import own_kind
from airgap.config.airgap_yaml import FILE
from airgap.errors import ResourceError
from airgap.kube.files import holds_objects
from airgap.kube.rewrite.log import REWRITE_LOG, read_log


class OwnFiles:
    """Recognises airgap's own files in a walk.

    These are ``airgap.yaml`` and ``project_file`` (that of ``--config``), bundles (also in folders), ``bundle.json``,
    receipts, inventories and locks, and folders that an import, ``rewrite --output`` or a stopped export has made. A
    folder whose files were rewritten in place has a log too, and stays.
    """

    def __init__(self, project_file: str = "") -> None:
        self._project_file = os.path.realpath(project_file) if project_file else ""

    def is_own(self, path: str) -> bool:
        """Return whether the file or folder at ``path`` is airgap's own."""
        if os.path.isdir(path):
            return own_kind(path) is not None or _was_made_by_rewriting(path) or _holds_unfinished_artifacts(path)
        return self._is_own_file(path)

    def _is_own_file(self, path: str) -> bool:
        if os.path.realpath(path) == self._project_file or own_kind(path) is not None:
            return True
        return os.path.basename(path) == FILE and not holds_objects(Path(path).read_bytes(), path)


def _holds_unfinished_artifacts(folder: str) -> bool:
    """Whether an export that was stopped keeps files of artifacts there."""
    return folder.endswith(FOLDER_SUFFIX) and os.path.isdir(os.path.join(folder, FETCHED))


def _was_made_by_rewriting(folder: str) -> bool:
    log = Path(folder) / REWRITE_LOG
    try:
        return log.is_file() and any(entry.first for entry in read_log(log))
    except ResourceError:
        return False

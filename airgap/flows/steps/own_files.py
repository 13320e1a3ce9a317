# SPDX-License-Identifier: Apache-2.0
"""airgap's own files in a folder of resource files, which are not resources: what it reads and what it has written."""

from __future__ import annotations

import os
from pathlib import Path

from airgap.bundle.documents import own_kind
from airgap.config.airgap_yaml import FILE
from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.kube.files import holds_objects
from airgap.kube.rewrite.log import REWRITE_LOG, read_log

#: The most names that the note shows.
_MAX_NAMES = 8


class OwnFiles:
    """Recognises airgap's own files in a walk and keeps their paths.

    These are ``airgap.yaml`` and ``project_file`` (that of ``--config``), bundles, ``bundle.json``, receipts,
    inventories and locks, and folders that an import or ``rewrite --output`` has made. A folder whose files were
    rewritten in place has a log too, and stays.
    """

    def __init__(self, project_file: str = "") -> None:
        self._project_file = os.path.realpath(project_file) if project_file else ""
        self.paths: list[str] = []

    def skip(self, path: str) -> bool:
        """Whether the file or folder at ``path`` is airgap's own; then its path is kept."""
        is_own = _was_made_by_rewriting(path) if os.path.isdir(path) else self._is_own_file(path)
        if is_own:
            self.paths.append(path)
        return is_own

    def note(self) -> str:
        """Return one line that names what was skipped, or an empty string."""
        if not self.paths:
            return ""
        more = (
            tr(" and {paths_count} more", paths_count=len(self.paths) - _MAX_NAMES)
            if len(self.paths) > _MAX_NAMES
            else ""
        )
        return tr(
            "skipped {paths}{more}: airgap's own files are no resources",
            paths=", ".join(self.paths[:_MAX_NAMES]),
            more=more,
        )

    def _is_own_file(self, path: str) -> bool:
        if os.path.realpath(path) == self._project_file or own_kind(path) is not None:
            return True
        return os.path.basename(path) == FILE and not holds_objects(Path(path).read_bytes(), path)


def _was_made_by_rewriting(folder: str) -> bool:
    log = Path(folder) / REWRITE_LOG
    try:
        return log.is_file() and any(entry.first for entry in read_log(log))
    except ResourceError:
        return False

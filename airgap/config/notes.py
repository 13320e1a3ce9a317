# SPDX-License-Identifier: Apache-2.0
"""The release notes that ``notes:`` in ``airgap.yaml`` names."""

from __future__ import annotations

from pathlib import Path

from airgap.config.airgap_yaml import ProjectSettings
from airgap.durable import missing_file, read_hint
from airgap.errors import UsageError
from airgap.i18n import tr


def read_notes(project: ProjectSettings) -> bytes | None:
    """Return the notes; ``None`` if the project has none. Raises :class:`UsageError` if they cannot be read."""
    if project.notes is None:
        return None
    try:
        return Path(project.notes).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(project.notes, hint=tr("notes: in airgap.yaml names it")) from None
    except OSError as error:
        hint = read_hint(error, project.notes)
        raise UsageError(
            tr("cannot read the notes: {strerror}", strerror=error.strerror), where=project.notes, hint=hint
        ) from error

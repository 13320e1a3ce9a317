# SPDX-License-Identifier: Apache-2.0
"""The lockfile that the user named for an export: read if it exists, and compared with what is exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import Lockfile, OutputFormat, Resource, read_lockfile
from airgap.durable import missing_file
from airgap.i18n import tr
from airgap.oci import Platform


def given_lockfile(
    path: Path | None,
    form: OutputFormat,
    platforms: Sequence[Platform],
    resources: Sequence[Resource],
    *,
    refresh: bool,
    base: str | None,
) -> Lockfile | None:
    """Return the lockfile at ``path``; ``None`` if there is none yet, or if ``refresh`` discards it.

    Raises :class:`airgap.errors.UsageError` if it is missing for a single volume, or does not fit the export.
    """
    if path is None:
        return None
    if form.volume and not path.exists():
        raise missing_file(path, hint=tr("one volume is made again from the lock of all of them"))
    lockfile = read_lockfile(path, platforms, refresh=refresh, base=base)
    if lockfile:
        lockfile.check_resources(resources, where=str(path))
    return lockfile

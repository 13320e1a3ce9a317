# SPDX-License-Identifier: Apache-2.0
"""Reads ``packages.lock.json`` (NuGet's "Locking dependencies"): the packages that a restore has chosen."""

from __future__ import annotations

from typing import Any

from airgap import bounded_json
from airgap.artifacts.formats.nuget.names import check_id
from airgap.artifacts.formats.nuget.versions import Version
from airgap.errors import ContentError
from airgap.i18n import tr

#: What is built from the solution itself.
_PROJECT = "project"


def parse_lockfile(content: bytes, *, where: str) -> list[tuple[str, Version]]:
    """Return the id and version of each package, for every target framework and runtime, each once.

    The file's ``contentHash`` is of a package without its signature, so it is no digest of the file. Raises
    :class:`ContentError`.
    """
    document = bounded_json.parse(content.removeprefix(b"\xef\xbb\xbf"), "lockfile", where=where)
    targets = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(targets, dict):
        raise _no_lockfile(where)
    packages: dict[tuple[str, Version], str] = {}
    for entries in targets.values():
        if not isinstance(entries, dict):
            raise _no_lockfile(where)
        for name, entry in entries.items():
            if version := _version(entry, where):
                try:
                    packages.setdefault((name.lower(), version), check_id(name))
                except ContentError as error:
                    error.where = where
                    raise
    return [(name, version) for (_, version), name in packages.items()]


def _version(entry: Any, where: str) -> Version | None:
    """The version of an entry; ``None`` for a project."""
    if not isinstance(entry, dict):
        raise _no_lockfile(where)
    if str(entry.get("type", "")).lower() == _PROJECT:
        return None
    try:
        return Version.parse(str(entry.get("resolved", "")))
    except ContentError as error:
        error.where = where
        raise


def _no_lockfile(where: str) -> ContentError:
    return ContentError(
        tr("this is no lock file of NuGet"),
        where=where,
        hint=tr("dotnet restore --use-lock-file writes packages.lock.json"),
    )

# SPDX-License-Identifier: Apache-2.0
"""What a lock says of artifacts, and which of them need no resolver because of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from airgap.artifacts.artifact import Artifact, Download
from airgap.bundle.artifacts import LockedArtifact
from airgap.errors import DigestMismatch, UsageError
from airgap.i18n import tr

_REFRESH = tr("--refresh resolves everything anew and rewrites the lock")

Identity = tuple[str, str, str, str]


def lock_entries(artifacts: Iterable[Artifact]) -> tuple[LockedArtifact, ...]:
    """Return the lock's entries of artifacts."""
    return tuple(
        LockedArtifact(a.format, a.name, a.version, a.file, a.digest, a.size, a.source, dict(a.properties))
        for a in artifacts
    )


def identity(item: Artifact | Download | LockedArtifact) -> Identity:
    """Return what tells an artifact from all others of a bundle."""
    return item.format, item.name, item.version, item.file


def locked_downloads(
    locked: Sequence[LockedArtifact], offline: Mapping[Identity, Download], *, where: str
) -> list[Download]:
    """Return what to fetch according to a lock. ``offline`` are the files that airgap.yaml itself names.

    Raises :class:`UsageError` for a locked file that has no address and that airgap.yaml does not name.
    """
    downloads = []
    for entry in locked:
        known = offline.get(identity(entry))
        if known is None and not entry.source:
            raise UsageError(
                tr("the lock has {label}, which airgap.yaml does not name", label=Artifact(*_fields(entry)).label),
                where=where,
                hint=_REFRESH,
            )
        downloads.append(
            Download(
                entry.format,
                entry.name,
                entry.version,
                entry.file,
                url=known.url if known else entry.source,
                path=known.path if known else _local_path(entry.source),
                expected=(entry.digest, *(known.expected if known else ())),
                size=entry.size,
                properties=entry.properties,
            )
        )
    return downloads


def _local_path(source: str) -> Path | None:
    """The path of a file in a repository on this machine."""
    return Path(source.removeprefix("file://")) if source.startswith("file://") else None


def check_fingerprints(current: Mapping[str, str], locked: Mapping[str, str], *, where: str) -> None:
    """Raise :class:`UsageError` if the lock was written for other artifacts than airgap.yaml asks for."""
    for name in sorted({*current, *locked}):
        if current.get(name) != locked.get(name):
            raise UsageError(
                tr("the {format} artifacts of airgap.yaml have changed since the lock was written", format=name),
                where=where,
                hint=_REFRESH,
            )


def changed_error(error: DigestMismatch) -> DigestMismatch:
    """Return the error for a file that is not what the lock says."""
    error.hint = tr("it is not what the lock was written for; {refresh}", refresh=_REFRESH)
    return error


def _fields(entry: LockedArtifact) -> tuple[str, str, str, str, str, int]:
    return entry.format, entry.name, entry.version, entry.file, entry.digest, entry.size

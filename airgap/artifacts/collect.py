# SPDX-License-Identifier: Apache-2.0
"""From the entries of airgap.yaml, or a lock, to files on the disk with their names and digests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from airgap.artifacts.artifact import Artifact, Download, check_names
from airgap.artifacts.download import FetchedFile, fetch_blob, fetch_file
from airgap.artifacts.formats import MODULES, format_named
from airgap.artifacts.lock import changed_error, check_fingerprints, identity, locked_downloads
from airgap.artifacts.settings import ArtifactEntry, fingerprint_of
from airgap.artifacts.web import Address
from airgap.artifacts.workspace import FETCHED, Workspace
from airgap.bundle.artifacts import LockedArtifact
from airgap.errors import AirgapError, ContentError, DigestMismatch, UsageError
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.records import Record, field
from airgap.store.readers import FileRange, translate_read_errors
from airgap.transfer import parallel_map


class Collected(Record):
    """``artifacts`` are sorted by format and name; ``files`` has the path of each content by its digest.
    ``requests`` are the fingerprints of the entries of each format, for the lock."""

    artifacts: tuple[Artifact, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict, repr=False)
    requests: Mapping[str, str] = field(default_factory=dict)


NOTHING_COLLECTED = Collected()


class Locked(Record):
    """What a lock says: its artifacts, the fingerprints of their entries, and the lock's name for messages."""

    artifacts: Sequence[LockedArtifact]
    requests: Mapping[str, str]
    where: str


def collect(entries: Sequence[ArtifactEntry], workspace: Workspace, locked: Locked | None = None) -> Collected:
    """Resolve the entries, fetch every file, and check it. With ``locked`` only its files are fetched.

    Raises what resolvers and the network raise, :class:`DigestMismatch` for a file that is not as it should be, and
    :class:`ContentError` for names that lead out of a folder.
    """
    by_format: dict[str, list[ArtifactEntry]] = {}
    for name in MODULES:
        if own := [entry for entry in entries if entry.format == name]:
            by_format[name] = own
    requests = {name: fingerprint_of(own) for name, own in by_format.items()}
    if locked is not None:
        check_fingerprints(requests, locked.requests, where=locked.where)
        offline = _resolve(by_format, workspace, offline=True)
        by_identity = {identity(download): download for download in offline}
        downloads = locked_downloads(locked.artifacts, by_identity, where=locked.where)
    else:
        downloads = _resolve(by_format, workspace, offline=False)
    for download in downloads:
        check_names(download)
    files = _fetch(downloads, by_format, workspace, locked is not None)
    artifacts = []
    for download, file in zip(downloads, files, strict=True):
        described = {} if locked is not None else format_named(download.format).collector.describe(download, file.path)
        artifacts.append(
            Artifact(
                download.format, download.name, download.version, download.file, file.digest, file.size,
                _source(download),
                {**download.properties, **described},
            )
        )  # fmt: skip
    artifacts.sort(key=identity)
    total = sum({artifact.digest: artifact.size for artifact in artifacts}.values())
    if artifacts:
        count = counted(len(artifacts), "artifact")
        workspace.context.note(tr("{count}, {total}", count=count, total=human(total)))
    return Collected(tuple(artifacts), {file.digest: file.path for file in files}, requests)


def _source(download: Download) -> str:
    """The address of a file without anything secret; empty for a file of this machine that is in no repository."""
    if download.path is not None or download.url.startswith("oci://"):
        return download.url
    return str(Address.parse(download.url))


def _resolve(by_format: Mapping[str, list[ArtifactEntry]], workspace: Workspace, *, offline: bool) -> list[Download]:
    """Ask each format's resolver; with ``offline`` only for the entries that need no network."""
    chosen: dict[object, Download] = {}
    for name, own in by_format.items():
        asked = [entry for entry in own if entry.form.offline] if offline else own
        if not asked:
            continue
        if not offline:
            workspace.context.note(
                tr("resolving {format}: {count}", format=name, count=counted(len(asked), "entry", "entries"))
            )
        for download in format_named(name).collector.resolve(asked, workspace):
            other = chosen.setdefault(identity(download), download)
            if other is not download and (other.path, other.url) != (download.path, download.url):
                _check_same(other, download)
    return list(chosen.values())


def _check_same(first: Download, second: Download) -> None:
    """Two entries may need one file; they must not mean two files under one name."""
    common = {digest.partition(":")[0] for digest in first.expected} & {
        digest.partition(":")[0] for digest in second.expected
    }
    differs = any(digest not in second.expected for digest in first.expected if digest.partition(":")[0] in common)
    if differs or not common:
        raise UsageError(
            tr("two entries give different files for {label}", label=first.label),
            hint=tr("keep one of them, or put them into different directories"),
        )


def _fetch(
    downloads: Sequence[Download], by_format: Mapping[str, list[ArtifactEntry]], workspace: Workspace, is_locked: bool
) -> list[FetchedFile]:
    folder = workspace.subfolder(FETCHED)
    find = {
        name: format_named(name).collector.credentials(by_format.get(name, ()), workspace.environment)
        for name in {download.format for download in downloads if download.path is None}
    }

    def fetch(download: Download) -> FetchedFile:
        if download.url.startswith("oci://"):
            return fetch_blob(download, workspace.registries, folder, workspace.context)
        server = None
        if download.path is None:
            server = workspace.server(download.url, find[download.format](download.url))
        try:
            with workspace.url_lock(download.url) if server else nullcontext():
                return fetch_file(download, server, folder, workspace.context)
        except AirgapError as error:
            error.where = (
                f"{download.label} ({error.where})" if error.where not in (None, download.label) else download.label
            )
            raise changed_error(error) if is_locked and isinstance(error, DigestMismatch) else error from None

    results = parallel_map(downloads, fetch, workers=workspace.context.jobs.transfers, cancel=workspace.context.cancel)
    return [result for result in results if isinstance(result, FetchedFile)]


class CollectedFiles:
    """The files of a :class:`Collected` as the source of a copy."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def __str__(self) -> str:
        return tr("the collected artifacts")

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a digest. Raises :class:`ContentError` if it was not collected."""
        path = self._files.get(name)
        if path is None:
            raise ContentError(tr("{name} was not collected", name=name))
        return Descriptor("", name, path.stat().st_size)

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the file is here."""
        return descriptor.digest in self._files

    def open(self, descriptor: Descriptor, offset: int = 0) -> FileRange:
        """Open a file. Raises :class:`airgap.errors.BundleError` if it cannot be read."""
        path = str(self._files[descriptor.digest])
        with translate_read_errors(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return FileRange(fd, offset, descriptor.size - offset, owned=True, where=path)

# SPDX-License-Identifier: Apache-2.0
"""A plain folder that any web server can serve, with the indexes that the format's clients read.

``.airgap-artifacts.json`` in it lists what airgap has put there, since indexes are written over everything. An index
that airgap has not written is never replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from airgap import bounded_json
from airgap.artifacts.artifact import Artifact, check_names, path_problem
from airgap.artifacts.format import Format
from airgap.artifacts.put import descriptor_of
from airgap.durable import create_temporary, new_file_mode, publish, replace_file, sweep_temporaries, write_at, writing
from airgap.durable.files import output_error
from airgap.durable.output import inside
from airgap.errors import AirgapError, BundleError, OutputError
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.store.protocols import Opener
from airgap.store.readers import read_verified, thread_buffer
from airgap.targets.protocols import Finding
from airgap.transfer import Context

RECORD = ".airgap-artifacts.json"
_MAX_VALUES = 1_048_576
_FORMAT = 1


class FolderRepository:
    """The folder ``root`` as a repository of one format. ``served`` is the address that it will be served under."""

    def __init__(self, artifact_format: Format, root: Path, served: str = "") -> None:
        self._format = artifact_format
        self.root = root
        self.layout = artifact_format.layout
        self.served = served

    def __str__(self) -> str:
        return str(self.root)

    @property
    def address(self) -> str:
        """The address that it will be served under, if that is known."""
        return self.served

    def check(self, artifacts: Sequence[Artifact] = ()) -> list[Finding]:
        """Check that the folder, or the one that it is made in, can be written, that its record is readable, and that
        indexes can be made of the artifacts."""
        self.layout.documents(artifacts, self.served)
        self.read_record()
        folder = next((path for path in (self.root, *self.root.absolute().parents) if path.exists()), self.root)
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(
                tr("no file can be written here"), where=str(folder), hint=tr("choose another folder after file://")
            )
        return []

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Hash the files that are there."""
        found = {}
        for artifact in artifacts:
            path = inside(self.root, self.layout.path(artifact))
            if path.exists():
                found[artifact] = digest_of_file(path, context)
        return found

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """Write the file under a temporary name, verify it, and give it its name."""
        path = inside(self.root, self.layout.path(artifact))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep_temporaries(path.parent)
            fd, temporary = create_temporary(path.parent)
        except OSError as error:
            raise output_error(error, path) from error
        try:
            reader = opener(0)
            try:
                read_verified(descriptor_of(artifact), reader, lambda piece, offset: _write(fd, piece, offset, path))
            finally:
                reader.close()
            with writing(path):
                os.fchmod(fd, new_file_mode())
                publish(fd, temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        finally:
            os.close(fd)

    def finish(self, artifacts: Sequence[Artifact]) -> None:
        """Write the indexes over ``artifacts`` and what airgap has put there before, then the record."""
        known, written = self.read_record()
        self.write_indexes(self._joined(known, artifacts), written)

    def write_indexes(self, artifacts: Sequence[Artifact], written: Collection[str]) -> Collection[str]:
        """Write the record and the indexes over ``artifacts``; return the paths of the indexes.

        ``written`` are the indexes that airgap has written before: the record goes on to list them. Raises
        :class:`OutputError` for an index that somebody else has written.
        """
        documents = self.layout.documents(artifacts, self.served)
        for name, content in documents.items():
            path = inside(self.root, name)
            if path.exists() and name not in written and path.read_bytes() != content:
                raise OutputError(
                    tr("an index that airgap has not written is already there"),
                    where=str(path),
                    hint=tr("choose an empty folder, or move it away; the files themselves are there"),
                )
        # The record first: indexes that it lists may be replaced, so that a run that is killed here can be repeated.
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            self.write_record(artifacts, {*documents, *written})
            for name, content in documents.items():
                path = inside(self.root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, content)
        return documents.keys()

    def write_record(self, artifacts: Sequence[Artifact], indexes: Collection[str]) -> None:
        """Write what airgap has put here. Raises :class:`OSError`."""
        record = {
            "format": _FORMAT,
            "artifacts": [_artifact_json(artifact) for artifact in artifacts],
            "indexes": sorted(indexes),
        }
        replace_file(self.root / RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n")

    def check_index(self, artifacts: Sequence[Artifact], context: Context) -> list[Finding]:
        """Find nothing: :meth:`finish` has written the index."""
        return []

    def _joined(self, known: Sequence[Artifact], new: Sequence[Artifact]) -> list[Artifact]:
        """Each file once, with the properties that it has now."""
        by_path = {self.layout.path(artifact): artifact for artifact in known}
        for artifact in new:
            path, join = self.layout.path(artifact), self._format.joined
            by_path[path] = join(by_path[path], artifact) if join is not None and path in by_path else artifact
        return list(by_path.values())

    def remover(self) -> FolderRemover:
        """Return what deletes files and makes the indexes anew."""
        return FolderRemover(self)

    def url(self, artifact: Artifact) -> str:
        """Return the address of the file, or its path."""
        base = self.served or f"file://{self.root.absolute()}"
        return f"{base}/{self.layout.path(artifact)}"

    def read_record(self) -> tuple[list[Artifact], set[str]]:
        """Return the artifacts that airgap has put here, and the indexes that it has written."""
        path = self.root / RECORD
        try:
            document = bounded_json.loads(path.read_bytes(), values=_MAX_VALUES, where=str(path))
            artifacts = [_parse_artifact(self._format.name, entry) for entry in document["artifacts"]]
            return artifacts, set(map(str, document["indexes"]))
        except (FileNotFoundError, NotADirectoryError):
            return [], set()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, AirgapError) as error:
            raise BundleError(
                tr("this record of artifacts is unreadable ({error})", error=error),
                where=str(path),
                hint=tr("restore it, or choose an empty folder"),
            ) from error


class FolderRemover:
    """Deletes files of ``repository``, and makes its indexes anew over what is left."""

    def __init__(self, repository: FolderRepository) -> None:
        self._repository = repository

    def path_of(self, artifact: Artifact, url: str) -> str | None:
        """Return the path below the folder."""
        root, served = self._repository.root.absolute(), self._repository.served
        for base in (served, f"file://{root}"):
            path = url.removeprefix(f"{base}/")
            if base and path != url:
                return None if path_problem(path, parts=True) else path
        return None

    def find(self, paths: Collection[str], context: Context) -> Mapping[str, str]:
        """Hash the files that are there."""
        files = {path: inside(self._repository.root, path) for path in paths}
        return {path: digest_of_file(file, context) for path, file in files.items() if file.is_file()}

    def remove(self, paths: Collection[str], context: Context) -> Mapping[str, AirgapError]:
        """Write the indexes without these files, then remove the files and the indexes that nothing needs any more."""
        repository = self._repository
        known, written = repository.read_record()
        rest = [artifact for artifact in known if repository.layout.path(artifact) not in paths]
        indexes = repository.write_indexes(rest, written)
        failed: dict[str, AirgapError] = {}
        for path in (*paths, *sorted(written - set(indexes))):
            context.cancel.check()
            file = inside(repository.root, path)
            try:
                file.unlink(missing_ok=True)
                _remove_empty_folders(file.parent, repository.root)
            except OSError as error:
                failed[path] = output_error(error, file)
        if not failed:
            with writing(repository.root):
                repository.write_record(rest, indexes)
        return failed

    def next_steps(self) -> list[str]:
        """Return none: the space is free at once."""
        return []


def _remove_empty_folders(folder: Path, root: Path) -> None:
    while folder != root and folder.is_relative_to(root) and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _write(fd: int, piece: memoryview, offset: int, path: Path) -> None:
    with writing(path):
        write_at(fd, piece, offset)


def digest_of_file(path: Path, context: Context) -> str:
    """Return the sha256 digest of a file. Raises :class:`OutputError` for one that cannot be read."""
    content_hash, buffer = hashlib.sha256(), thread_buffer()
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                context.cancel.check()
                content_hash.update(buffer[:count])
    except OSError as error:
        raise OutputError(tr("cannot be read: {strerror}", strerror=error.strerror), where=str(path)) from error
    return f"sha256:{content_hash.hexdigest()}"


def _artifact_json(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "version": artifact.version,
        "file": artifact.file,
        "digest": artifact.digest,
        "size": artifact.size,
        "properties": dict(sorted(artifact.properties.items())),
    }


def _parse_artifact(format_name: str, entry: Mapping[str, Any]) -> Artifact:
    artifact = Artifact(
        format_name, str(entry["name"]), str(entry["version"]), str(entry["file"]), digests.check(entry["digest"]),
        int(entry["size"]), "", {str(key): str(value) for key, value in entry["properties"].items()},
    )  # fmt: skip
    check_names(artifact)
    return artifact

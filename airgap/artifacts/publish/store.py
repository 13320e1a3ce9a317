# SPDX-License-Identifier: Apache-2.0
"""A repository of artifacts as the store that a copy pushes to: each blob is a file that has a name there."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.repository import ArtifactRepository
from airgap.durable import write_at, writing
from airgap.errors import AirgapError, ContentMissing
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import FileRange, read_verified


class ArtifactStore:
    """Pushes the files of ``artifacts`` by their digest. ``present`` are the artifacts that need no upload.

    ``once`` says that the source can be read only once, so that a file with several names is kept meanwhile.
    """

    def __init__(
        self,
        repository: ArtifactRepository,
        artifacts: Iterable[Artifact],
        present: Collection[Artifact],
        *,
        once: bool = False,
    ) -> None:
        self.repository = repository
        self._once = once
        self._missing: dict[str, list[Artifact]] = {}
        for artifact in artifacts:
            if artifact not in present:
                self._missing.setdefault(artifact.digest, []).append(artifact)

    def __str__(self) -> str:
        return str(self.repository)

    def resolve(self, name: str) -> Descriptor:
        """Refuse: nothing is read from here."""
        raise ContentMissing(tr("{name} cannot be read from a repository of artifacts", name=name))

    def exists(self, descriptor: Descriptor, /) -> bool:
        """Whether every file with this content is there already; other blobs, such as the config, are not needed."""
        return descriptor.digest not in self._missing

    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Refuse: nothing is read from here."""
        raise ContentMissing(tr("{name} cannot be read from a repository of artifacts", name=descriptor.digest))

    def push(self, descriptor: Descriptor, opener: Opener, /) -> None:
        """Upload the content under each of its names."""
        artifacts = self._missing.get(descriptor.digest, [])
        if self._once and len(artifacts) > 1:
            with tempfile.TemporaryFile() as file:
                self._upload(artifacts, _kept(descriptor, opener, file.fileno()))
        else:
            self._upload(artifacts, opener)

    def _upload(self, artifacts: Iterable[Artifact], opener: Opener) -> None:
        for artifact in artifacts:
            try:
                self.repository.upload(artifact, opener)
            except AirgapError as error:
                error.where = f"{artifact.label}: {error.where}" if error.where else artifact.label
                raise

    def push_manifest(self, descriptor: Descriptor, content: bytes, name: str, /) -> None:
        """Do nothing: only the bundle has manifests of artifacts."""

    def tag(self, descriptor: Descriptor, name: str, /) -> None:
        """Do nothing: artifacts have no tags."""


def _kept(descriptor: Descriptor, opener: Opener, fd: int) -> Opener:
    """Copy a blob into an open file; return an opener that reads it there."""

    def write(piece: memoryview, offset: int) -> None:
        with writing(Path(tempfile.gettempdir())):
            write_at(fd, piece, offset)

    reader = opener(0)
    try:
        read_verified(descriptor, reader, write)
    finally:
        reader.close()
    return lambda offset: FileRange(fd, offset, descriptor.size - offset)

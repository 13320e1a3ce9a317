# SPDX-License-Identifier: Apache-2.0
"""What every repository of the far side does, whatever server or folder it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.web import WebServer
from airgap.errors import AirgapError
from airgap.store.protocols import Opener
from airgap.targets.protocols import Finding
from airgap.transfer import Context


class ArtifactRepository(Protocol):
    """A place for the artifacts of one format. Methods may be called by several threads, except :meth:`finish`."""

    def check(self, artifacts: Sequence[Artifact] = ()) -> list[Finding]:
        """Check before anything is sent that it takes uploads of the format, and of these artifacts. Changes
        nothing."""

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Return the sha256 digest of what is under each artifact's path; artifacts whose path is free are left out.

        It is asked as the format's clients ask, or by an index that costs fewer requests.
        """

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """Put one file there, whole or not at all. A broken upload is tried again. Raises the server's refusal."""

    def finish(self, artifacts: Sequence[Artifact]) -> None:
        """Write the indexes over what is there now, where the server does not do that itself."""

    def check_index(self, artifacts: Sequence[Artifact], context: Context) -> list[Finding]:
        """Check that the index that the server writes itself lists the artifacts; called after :meth:`finish`."""

    def url(self, artifact: Artifact) -> str:
        """Return the address by which clients fetch the file."""

    @property
    def address(self) -> str:
        """The address that clients are told (``airgap hosts ADDRESS --for CLIENT``); empty if it is not known, or if
        clients need no settings."""


@runtime_checkable
class SupportsUploadCheck(Protocol):
    """A repository that finds what was just uploaded in another way than everything else."""

    def find_uploaded(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Return what :meth:`ArtifactRepository.find` returns; ask as the format's clients do where that is cheap."""


class FileRemover(Protocol):
    """Deletes files of a repository, which are named by their paths in it."""

    def path_of(self, artifact: Artifact, url: str, /) -> str | None:
        """Return the path of an artifact whose address was ``url`` when it was imported; ``None`` if that is not in
        this repository."""

    def find(self, paths: Collection[str], context: Context, /) -> Mapping[str, str]:
        """Return the sha256 digests of those that are there."""

    def remove(self, paths: Collection[str], context: Context, /) -> Mapping[str, AirgapError]:
        """Remove files, and make the indexes anew where the server does not; return what failed. What is gone already
        is no error. Raises the error of a server that deletes nothing for this user."""

    def next_steps(self) -> list[str]:
        """Return what gives the space back afterwards, one step in each text."""


@runtime_checkable
class SupportsRemoval(Protocol):
    """A repository that files can be deleted from."""

    def remover(self) -> FileRemover:
        """Return what deletes."""


class ServerRepository:
    """The base of repositories at a server that says only on the first upload whether it takes one, and that writes its
    indexes itself."""

    def __init__(self, server: WebServer) -> None:
        self._server = server

    def __str__(self) -> str:
        return str(self._server)

    @property
    def address(self) -> str:
        """The address that uploads go to."""
        return str(self._server)

    def check(self, artifacts: Sequence[Artifact] = ()) -> list[Finding]:
        """Find nothing."""
        return []

    def finish(self, artifacts: Sequence[Artifact]) -> None:
        """Write nothing."""

    def check_index(self, artifacts: Sequence[Artifact], context: Context) -> list[Finding]:
        """Find nothing: it is read from the index that they are there."""
        return []

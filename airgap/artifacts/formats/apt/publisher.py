# SPDX-License-Identifier: Apache-2.0
"""Debian packages on the far side: Nexus's format apt. Other servers share no way of uploading."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import UploadForm
from airgap.artifacts.formats.apt.names import INDEXES, nexus_path
from airgap.artifacts.repository import ArtifactRepository
from airgap.artifacts.web import WebServer
from airgap.errors import TargetError
from airgap.i18n import tr
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.protocols import Finding


class AptPublisher:
    """Nexus keeps a package under ``pool/N/NAME/NAME_VERSION_ARCHITECTURE.deb`` and writes the indexes."""

    nexus_format = "apt"

    def path(self, artifact: Artifact) -> str:
        """The path in Nexus's index."""
        return nexus_path(artifact)

    def form(self, artifact: Artifact) -> UploadForm:
        """Nexus reads the control file."""
        return UploadForm()

    def native(self, server: WebServer) -> ArtifactRepository:
        """Refuse. Raises :class:`TargetError`."""
        raise TargetError(
            tr("no Nexus answers there, and apt has no way to upload that other servers share"),
            where=str(server),
            hint=tr("write a folder that the server offers: --artifacts-to apt=file:///srv/apt"),
        )


def warning(artifacts: Sequence[Artifact], repository: RepositorySettings) -> Finding | None:
    """Warn of several suites, since a repository of Nexus has one, in which clients take the highest version of a
    package; and of a suite that the repository calls otherwise."""
    suites = sorted(
        {index.rpartition("/")[0] for one in artifacts for index in one.properties.get(INDEXES, "").split()}
    )
    if len(suites) > 1:
        what = tr(
            "packages of {suites} go into one repository, whose clients take the highest version",
            suites=", ".join(suites),
        )
        hint = tr("carry each suite in a bundle of its own, or write a folder: file:///srv/apt keeps them apart")
        return Finding("warning", what, hint)
    if suites and repository.distribution not in ("", suites[0]):
        what = tr(
            "{name} has the suite {distribution}, and the packages are of {suite}",
            name=repository.name, distribution=repository.distribution, suite=suites[0],
        )  # fmt: skip
        hint = tr("clients write {distribution} as the suite", distribution=repository.distribution)
        return Finding("warning", what, hint)
    return None

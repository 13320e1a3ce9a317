# SPDX-License-Identifier: Apache-2.0
"""Maven artifacts on the far side: Nexus's format maven2, and PUT for every other repository."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import UploadForm
from airgap.artifacts.formats.maven.collector import SHA1
from airgap.artifacts.formats.maven.coordinates import of_artifact
from airgap.artifacts.formats.maven.metadata import metadata_path, parse_metadata, write_metadata
from airgap.artifacts.put import PutRepository
from airgap.artifacts.repository import ArtifactRepository
from airgap.artifacts.web import Body, WebServer
from airgap.errors import NotFound
from airgap.store.protocols import Opener


class MavenPublisher:
    """Paths are those of Maven's layout everywhere."""

    nexus_format = "maven2"

    def path(self, artifact: Artifact) -> str:
        """As repositories have it."""
        return of_artifact(artifact.properties, artifact.version).path

    def form(self, artifact: Artifact) -> UploadForm:
        """Nexus wants the coordinates, and the extension of the file."""
        own = of_artifact(artifact.properties, artifact.version)
        asset = {"extension": own.extension, **({"classifier": own.classifier} if own.classifier else {})}
        return UploadForm({"groupId": own.group, "artifactId": own.artifact, "version": own.version}, asset)

    def native(self, server: WebServer) -> ArtifactRepository:
        """PUT of the file and its checksum, as ``mvn deploy`` does."""
        return MavenPutRepository(server, self)


class MavenPutRepository(PutRepository):
    """A server that takes PUT, such as Artifactory, Reposilite or WebDAV. What ``mvn deploy`` puts there beside files
    is put there too: their checksums, and the list of each artifact's versions."""

    def __init__(self, server: WebServer, publisher: MavenPublisher) -> None:
        super().__init__(server, publisher.path)

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """PUT the file, then its checksum: a checksum without its file would break what comes later."""
        super().upload(artifact, opener)
        if sha1 := artifact.properties.get(SHA1):
            self._put(f"/{self._path_of(artifact)}.sha1", sha1.encode())

    def finish(self, artifacts: Sequence[Artifact]) -> None:
        """Add versions to the lists that lack them. Servers such as Artifactory have done it themselves."""
        versions: dict[tuple[str, str], set[str]] = {}
        for artifact in artifacts:
            own = of_artifact(artifact.properties, artifact.version)
            versions.setdefault((own.group, own.artifact), set()).add(own.version)
        for (group, name), own_versions in versions.items():
            path = f"/{metadata_path(group, name)}"
            try:
                listed = set(parse_metadata(self._server.get(path).body, where=self._server.url(path)))
            except NotFound:
                listed = set()
            if own_versions - listed:
                content = write_metadata(group, name, own_versions | listed)
                self._put(path, content)
                self._put(f"{path}.sha1", hashlib.sha1(content, usedforsecurity=False).hexdigest().encode())

    def _put(self, path: str, content: bytes) -> None:
        body = Body.content(content, "text/plain")

        def attempt() -> None:
            response = self._server.send("PUT", path, body)
            if response.status not in (200, 201, 202, 204):
                raise response.error()

        self._server.client.retry.run(f"PUT {path}", attempt)

# SPDX-License-Identifier: Apache-2.0
"""Maven artifacts on the far side: Nexus's format maven2, and PUT for every other repository."""

from __future__ import annotations

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import UploadForm
from airgap.artifacts.formats.maven.collector import SHA1
from airgap.artifacts.formats.maven.coordinates import of_artifact
from airgap.artifacts.put import PutRepository
from airgap.artifacts.repository import ArtifactRepository
from airgap.artifacts.web import Body, WebServer
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
    """A server that takes PUT, such as Artifactory, Reposilite or WebDAV."""

    def __init__(self, server: WebServer, publisher: MavenPublisher) -> None:
        super().__init__(server, publisher.path)

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """PUT the file, then its checksum: a checksum without its file would break what comes later."""
        super().upload(artifact, opener)
        if sha1 := artifact.properties.get(SHA1):
            path = f"/{self._path_of(artifact)}.sha1"
            body = Body.content(sha1.encode(), "text/plain")

            def attempt() -> None:
                response = self._server.send("PUT", path, body)
                if response.status not in (200, 201, 202, 204):
                    raise response.error()

            self._server.client.retry.run(f"PUT {path}", attempt)

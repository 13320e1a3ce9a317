# SPDX-License-Identifier: Apache-2.0
"""Python packages on the far side: Nexus's format pypi, and PyPI's upload form for other servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import UploadForm
from airgap.artifacts.formats.pypi.names import file_type, normalized, python_tag
from airgap.artifacts.formats.pypi.simple_index import ACCEPT, IndexFile, parse_page
from airgap.artifacts.put import descriptor_of, digest_at
from airgap.artifacts.repository import ArtifactRepository, ServerRepository
from airgap.artifacts.web import Body, WebServer
from airgap.errors import NotFound, TargetError
from airgap.i18n import tr
from airgap.store.protocols import Opener
from airgap.transfer import Context, parallel_map


class PypiPublisher:
    """Nexus keeps a file under ``packages/PROJECT/VERSION/FILE``."""

    nexus_format = "pypi"

    def path(self, artifact: Artifact) -> str:
        """The path that Nexus's index links to."""
        return f"packages/{artifact.name}/{artifact.version}/{artifact.file}"

    def form(self, artifact: Artifact) -> UploadForm:
        """Nexus reads name and version from the file."""
        return UploadForm()

    def native(self, server: WebServer) -> ArtifactRepository:
        """A server with PyPI's upload form, and its index below ``simple/``."""
        return PypiRepository(server)


class PypiRepository(ServerRepository):
    """A server such as pypiserver: uploads by a form to its address, and ``simple/PROJECT/`` lists what is there."""

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Read the page of each project; a file whose digest it does not say is fetched and hashed."""
        by_name: dict[str, list[Artifact]] = {}
        for artifact in artifacts:
            by_name.setdefault(artifact.name, []).append(artifact)

        def ask(name: str) -> dict[Artifact, str]:
            page = {entry.file: entry for entry in self._page(name)}
            return {
                artifact: self._digest(page[artifact.file], context)
                for artifact in by_name[name]
                if artifact.file in page
            }

        results = parallel_map(by_name, ask, workers=context.jobs.control, cancel=context.cancel)
        return {artifact: digest for found in results if isinstance(found, dict) for artifact, digest in found.items()}

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """Send the form that twine sends (warehouse's "legacy upload API")."""
        fields = {
            ":action": "file_upload", "protocol_version": "1", "metadata_version": "2.1",
            "name": artifact.name, "version": artifact.version, "filetype": file_type(artifact.file),
            "pyversion": python_tag(artifact.file), "sha256_digest": artifact.digest.partition(":")[2],
        }  # fmt: skip
        body = Body.form(fields, "content", artifact.file, descriptor_of(artifact), opener)

        def attempt() -> None:
            response = self._server.send("POST", "/", body)
            if response.status == 409:
                raise TargetError(
                    tr("the server says that this file is already there"), where=str(self._server),
                    hint=tr("a new file needs a new version"),
                )  # fmt: skip
            if response.status not in (200, 201, 202, 204, 303):
                raise response.error()

        self._server.client.retry.run(f"POST {artifact.file}", attempt)

    def url(self, artifact: Artifact) -> str:
        """Return the address of the project's page, which links to the file."""
        return self._server.url(f"/simple/{normalized(artifact.name)}/")

    def _page(self, name: str) -> list[IndexFile]:
        try:
            response = self._server.get(f"/simple/{name}/", accept=ACCEPT)
        except NotFound:
            return []
        return parse_page(response.body, response.headers.get_content_type(), response.url)

    def _digest(self, entry: IndexFile, context: Context) -> str:
        if entry.digest:
            return entry.digest
        path = entry.url.removeprefix(str(self._server))
        if path == entry.url:
            raise TargetError(tr("its index leads to another server"), where=entry.url[:200])
        return digest_at(self._server, path, context)

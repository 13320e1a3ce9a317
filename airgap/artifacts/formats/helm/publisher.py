# SPDX-License-Identifier: Apache-2.0
"""Charts on the far side: Nexus's format helm, ChartMuseum's form, and registries (``oci://``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import UploadForm
from airgap.artifacts.formats.helm.collector import CHART_CONFIG, CHART_LAYER
from airgap.artifacts.formats.helm.yaml_values import read_yaml
from airgap.artifacts.put import descriptor_of
from airgap.artifacts.repository import ArtifactRepository, ServerRepository
from airgap.artifacts.web import Body, WebServer
from airgap.errors import NotFound, TargetError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_MANIFEST
from airgap.registry import Repository
from airgap.store.protocols import Opener
from airgap.store.readers import bytes_opener
from airgap.targets.protocols import Finding
from airgap.transfer import Context, parallel_map


class HelmPublisher:
    """Nexus keeps the archives at the repository's root, and writes ``index.yaml`` itself."""

    nexus_format = "helm"

    def path(self, artifact: Artifact) -> str:
        """The archive's name."""
        return artifact.file

    def form(self, artifact: Artifact) -> UploadForm:
        """Nexus tells the kind from the file's name."""
        return UploadForm()

    def native(self, server: WebServer) -> ArtifactRepository:
        """A registry for ``oci://``, else ChartMuseum."""
        return OciChartRepository(server) if server.is_registry else ChartMuseum(server)


class ChartMuseum(ServerRepository):
    """A server with ChartMuseum's API: ``POST /api/charts``, and ``index.yaml`` with digests."""

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Read the index."""
        try:
            content = self._server.get("/index.yaml").body
        except NotFound:
            return {}
        found = {}
        for artifact in artifacts:
            versions = read_yaml(content, "entries", artifact.name, where=f"{self._server}/index.yaml") or ()
            for item in versions if isinstance(versions, list) else ():
                if isinstance(item, dict) and item.get("version") == artifact.version:
                    found[artifact] = f"sha256:{str(item.get('digest')).removeprefix('sha256:')}"
        return found

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """Send the form of ``helm cm-push``."""
        body = Body.form({}, "chart", artifact.file, descriptor_of(artifact), opener)

        def attempt() -> None:
            response = self._server.send("POST", "/api/charts", body)
            if response.status == 409:
                raise TargetError(
                    tr("the server says that this version is already there"), where=str(self._server),
                    hint=tr("a changed chart needs a new version"),
                )  # fmt: skip
            if response.status not in (200, 201):
                raise response.error()

        self._server.client.retry.run(f"POST {artifact.file}", attempt)

    def url(self, artifact: Artifact) -> str:
        """Return the address of the archive."""
        return self._server.url(f"/charts/{artifact.file}")


class OciChartRepository(ServerRepository):
    """A registry below whose address each chart is a repository, with a tag for each version."""

    def __str__(self) -> str:
        return f"oci://{self._server.address.host}{self._server.address.path}"

    @property
    def address(self) -> str:
        """Empty: ``helm pull oci://…`` needs no settings."""
        return ""

    def check(self, artifacts: Sequence[Artifact] = ()) -> list[Finding]:
        """Sign in."""
        self._server.client.ping()
        return []

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Read the manifest of each tag."""

        def ask(artifact: Artifact) -> str:
            try:
                manifest = self._repository(artifact).manifest(_tag(artifact))
            except NotFound:
                return ""
            layers = [layer.digest for layer in manifest.layers if layer.media_type == CHART_LAYER]
            return layers[0] if layers else manifest.descriptor.digest

        results = parallel_map(artifacts, ask, workers=context.jobs.control, cancel=context.cancel)
        return {a: digest for a, digest in zip(artifacts, results, strict=True) if isinstance(digest, str) and digest}

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """Push what ``helm push`` pushes: Chart.yaml as the config, the archive as the layer."""
        repository = self._repository(artifact)
        config_content = artifact.properties.get("chart", "{}").encode()
        config = Descriptor(CHART_CONFIG, digests.of(config_content), len(config_content))
        layer = Descriptor(CHART_LAYER, artifact.digest, artifact.size)
        document = {
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.to_json(), "layers": [layer.to_json()],
            "annotations": {"org.opencontainers.image.title": artifact.name,
                            "org.opencontainers.image.version": artifact.version},
        }  # fmt: skip
        content = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        if not repository.exists(config):
            repository.push(config, bytes_opener(config_content))
        if not repository.exists(layer):
            repository.push(layer, opener)
        repository.push_manifest(Descriptor(OCI_MANIFEST, digests.of(content), len(content)), content, _tag(artifact))

    def url(self, artifact: Artifact) -> str:
        """Return the address for ``helm pull``."""
        return f"{self}/{artifact.name}:{_tag(artifact)}"

    def _repository(self, artifact: Artifact) -> Repository:
        path = "/".join(part for part in (self._server.address.path.strip("/"), artifact.name) if part)
        return Repository(self._server.client, path, push=True)


def _tag(artifact: Artifact) -> str:
    """The tag of a version: a tag has no plus sign, for which helm writes an underscore."""
    return artifact.version.replace("+", "_")

# SPDX-License-Identifier: Apache-2.0
"""npm packages as files that a web server serves as they lie: ``NAME/index.html`` is the package's document, since npm
asks for ``NAME`` and follows the redirect to ``NAME/``, and ``NAME/-/FILE`` are its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.npm.names import file_path
from airgap.artifacts.formats.npm.packument import package_document
from airgap.errors import UsageError
from airgap.i18n import tr


class NpmLayout:
    """A registry in files. npm wants absolute addresses, so the registry's own must be known."""

    def path(self, artifact: Artifact) -> str:
        """As registries have it."""
        return file_path(artifact.name, artifact.version)

    def documents(self, artifacts: Sequence[Artifact], base_url: str) -> Mapping[str, bytes]:
        """The document of each package. It is JSON, which npm reads whatever the server calls it."""
        if not base_url:
            raise UsageError(
                tr("npm needs absolute addresses, and it is not known where this folder will be served"),
                hint=tr("write the address behind the folder: npm=file:///srv/npm#http://HOST/npm"),
            )
        by_name: dict[str, list[Artifact]] = {}
        for artifact in artifacts:
            by_name.setdefault(artifact.name, []).append(artifact)
        return {f"{name}/index.html": package_document(name, own, base_url) for name, own in sorted(by_name.items())}

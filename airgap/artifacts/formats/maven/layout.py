# SPDX-License-Identifier: Apache-2.0
"""A Maven repository in files: its layout at the root, with checksums and the list of each artifact's versions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.maven.collector import SHA1
from airgap.artifacts.formats.maven.coordinates import of_artifact
from airgap.artifacts.formats.maven.metadata import metadata_path, write_metadata


class MavenLayout:
    """Maven reads it from any web server, and from ``file://``."""

    def path(self, artifact: Artifact) -> str:
        """As repositories have it."""
        return of_artifact(artifact.properties, artifact.version).path

    def documents(self, artifacts: Sequence[Artifact], base_url: str) -> Mapping[str, bytes]:
        """``.sha1`` of each file, and ``maven-metadata.xml`` of each artifact."""
        documents: dict[str, bytes] = {}
        versions: dict[tuple[str, str], set[str]] = {}
        for artifact in artifacts:
            own = of_artifact(artifact.properties, artifact.version)
            if sha1 := artifact.properties.get(SHA1):
                documents[f"{own.path}.sha1"] = sha1.encode()
            versions.setdefault((own.group, own.artifact), set()).add(own.version)
        for (group, name), own_versions in versions.items():
            metadata = write_metadata(group, name, own_versions)
            path = metadata_path(group, name)
            documents[path] = metadata
            documents[f"{path}.sha1"] = hashlib.sha1(metadata, usedforsecurity=False).hexdigest().encode()
        return documents

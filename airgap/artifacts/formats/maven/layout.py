# SPDX-License-Identifier: Apache-2.0
"""A Maven repository in files: its layout at the root, with checksums and the list of each artifact's versions."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.maven.collector import SHA1
from airgap.artifacts.formats.maven.coordinates import Coordinates, of_artifact
from airgap.artifacts.formats.maven.versions import version_key


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
            metadata = _metadata(group, name, sorted(own_versions, key=version_key))
            path = Coordinates(group, name, "0").path.rpartition("/0/")[0] + "/maven-metadata.xml"
            documents[path] = metadata
            documents[f"{path}.sha1"] = hashlib.sha1(metadata, usedforsecurity=False).hexdigest().encode()
        return documents


def _metadata(group: str, artifact: str, versions: Sequence[str]) -> bytes:
    root = ElementTree.Element("metadata")

    def add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
        element = ElementTree.SubElement(parent, name)
        element.text = text
        return element

    add(root, "groupId", group)
    add(root, "artifactId", artifact)
    versioning = add(root, "versioning")
    add(versioning, "latest", versions[-1])
    add(versioning, "release", versions[-1])
    listed = add(versioning, "versions")
    for version in versions:
        add(listed, "version", version)
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content

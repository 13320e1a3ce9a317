# SPDX-License-Identifier: Apache-2.0
"""An artifact as an OCI artifact (image-spec manifest.md, "Guidelines for Artifact Usage"; ADR 0024).

The manifest's ``artifactType`` names the format, its config is the empty one, and its only layer is the file. Equal
artifacts have equal bytes.
"""

from __future__ import annotations

import json

from airgap.artifacts.artifact import Artifact, check_names
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.oci.manifest import OCI_EMPTY, OCI_MANIFEST, Manifest

#: The content of the empty config.
EMPTY = b"{}"
#: The media type of every artifact's only layer.
FILE_TYPE = "application/octet-stream"
TITLE = "org.opencontainers.image.title"
_VERSION = "org.opencontainers.image.version"
_SOURCE = "org.opencontainers.image.source"
_NAME = "io.airgap.artifact.name"
_FORMAT = "io.airgap.artifact.format"
_PROPERTY = "io.airgap.artifact.property."


def artifact_type(format_name: str) -> str:
    """Return the artifactType of a format, such as ``application/vnd.airgap.pypi.v1``."""
    return f"application/vnd.airgap.{format_name}.v1"


def build_manifest(artifact: Artifact) -> Manifest:
    """Return the manifest of an artifact."""
    annotations = {
        _FORMAT: artifact.format,
        _NAME: artifact.name,
        TITLE: artifact.file,
        **({_VERSION: artifact.version} if artifact.version else {}),
        **({_SOURCE: artifact.source} if artifact.source else {}),
        **{f"{_PROPERTY}{key}": value for key, value in artifact.properties.items()},
    }
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type(artifact.format),
        "config": Descriptor(OCI_EMPTY, digests.of(EMPTY), len(EMPTY)).to_json(),
        "layers": [Descriptor(FILE_TYPE, artifact.digest, artifact.size, None, {TITLE: artifact.file}).to_json()],
        "annotations": dict(sorted(annotations.items())),
    }
    content = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return manifests.parse(content, OCI_MANIFEST)


def parse_manifest(manifest: Manifest, *, where: str) -> Artifact:
    """Return the artifact of a manifest. Raises :class:`BundleError` for another manifest, :class:`ContentError` for
    names that are refused."""
    annotations = manifest.annotations or {}
    format_name, name, file = (annotations.get(key, "") for key in (_FORMAT, _NAME, TITLE))
    if len(manifest.layers) != 1 or not name or not file or manifest.artifact_type != artifact_type(format_name):
        raise BundleError(tr("{digest} is no artifact of airgap", digest=manifest.descriptor.digest), where=where)
    artifact = Artifact(
        format_name,
        name,
        annotations.get(_VERSION, ""),
        file,
        manifest.layers[0].digest,
        manifest.layers[0].size,
        annotations.get(_SOURCE, ""),
        {key.removeprefix(_PROPERTY): value for key, value in annotations.items() if key.startswith(_PROPERTY)},
    )
    check_names(artifact)
    return artifact

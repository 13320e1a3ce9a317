# SPDX-License-Identifier: Apache-2.0
"""The document that a registry has of a package (npm registry's "package metadata")."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airgap import bounded_json
from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.npm.names import file_path, latest
from airgap.artifacts.formats.npm.package_json import INTEGRITY, MANIFEST, SHASUM
from airgap.errors import ContentError
from airgap.i18n import tr

_MAX_VALUES = 131_072


def version_document(artifact: Artifact, registry_url: str) -> dict[str, Any]:
    """Return what a registry at this address says of one version.

    Raises :class:`ContentError` for an artifact that has not the properties of a package.
    """
    try:
        document = bounded_json.loads(artifact.properties[MANIFEST].encode(), values=_MAX_VALUES, where=artifact.label)
        dist = {"integrity": artifact.properties[INTEGRITY], "shasum": artifact.properties[SHASUM]}
        if not isinstance(document, dict):
            raise ValueError(MANIFEST)
    except (KeyError, ValueError) as error:
        raise ContentError(
            tr("it has no properties of an npm package ({error})", error=error), where=artifact.label
        ) from error
    url = f"{registry_url}/{file_path(artifact.name, artifact.version)}"
    return {**document, "_id": f"{artifact.name}@{artifact.version}", "dist": {"tarball": url, **dist}}


def package_document(name: str, artifacts: Sequence[Artifact], registry_url: str) -> bytes:
    """Return the document of a package with all of its versions; ``latest`` is the highest."""
    versions = {artifact.version: version_document(artifact, registry_url) for artifact in artifacts}
    document = {"_id": name, "name": name, "dist-tags": {"latest": latest(versions)}, "versions": versions}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()

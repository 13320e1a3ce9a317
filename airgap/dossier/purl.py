# SPDX-License-Identifier: Apache-2.0
"""Package URLs (https://github.com/package-url/purl-spec) of images, packages and artifacts."""

from __future__ import annotations

from urllib.parse import quote

from airgap.dossier.facts import ArtifactFacts, ImageFacts, Package
from airgap.oci import Reference

#: The purl type of each artifact format that has one; files of others are ``generic``.
_TYPES = {"pypi": "pypi", "npm": "npm", "maven": "maven", "nuget": "nuget", "helm": "helm", "go": "golang",
          "apt": "deb", "rpm": "rpm"}  # fmt: skip


def image_purl(image: ImageFacts) -> str:
    """Return the purl of an image: type ``oci``, whose version is the digest."""
    reference = Reference.parse(image.reference)
    name = reference.repository.rpartition("/")[2].lower()
    tag = f"&tag={_part(reference.tag)}" if reference.tag else ""
    return f"pkg:oci/{_part(name)}@{_part(image.digest)}?repository_url={quote(reference.name, safe='/')}{tag}"


def package_purl(package: Package, system: str) -> str:
    """Return the purl of an installed package. ``system`` is the ID of the distribution, such as ``debian``."""
    namespace = f"{_part(system)}/" if system else ""
    architecture = f"?arch={_part(package.architecture)}" if package.architecture else ""
    return f"pkg:{package.kind}/{namespace}{_part(package.name)}@{_part(package.version)}{architecture}"


def artifact_purl(artifact: ArtifactFacts) -> str:
    """Return the purl of an artifact."""
    kind = _TYPES.get(artifact.format, "generic")
    name = artifact.name
    if kind == "maven":
        name = name.replace(":", "/")
    elif kind == "pypi":
        name = name.lower().replace("_", "-")
    path = "/".join(_part(part) for part in name.split("/") if part)
    version = f"@{_part(artifact.version)}" if artifact.version else ""
    return f"pkg:{kind}/{path}{version}"


def _part(text: str) -> str:
    return quote(text, safe="")

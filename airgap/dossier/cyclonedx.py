# SPDX-License-Identifier: Apache-2.0
"""The dossier as a CycloneDX 1.6 bill of materials (ECMA-424): images and artifacts with their hashes, and the packages
in the images.

It has no timestamp, and its serial number comes from the bundle's root digest: the same bundle gives the same bytes.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from airgap import __version__
from airgap.dossier.facts import (
    LICENCES,
    SOURCE,
    ArtifactFacts,
    BundleFacts,
    Dossier,
    ImageFacts,
    Package,
    PlatformFacts,
)
from airgap.dossier.purl import artifact_purl, image_purl, package_purl

_ALGORITHMS = {"sha256": "SHA-256", "sha512": "SHA-512"}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://opencontainers.org/bundle")


def to_bytes(dossier: Dossier) -> bytes:
    """Return the document, the same bytes for the same facts."""
    return json.dumps(to_json(dossier), ensure_ascii=True, indent=1).encode() + b"\n"


def to_json(dossier: Dossier) -> dict[str, Any]:
    """Return the bill of materials."""
    components = [_image(image) for image in dossier.images]
    components += [_artifact(number, artifact) for number, artifact in enumerate(dossier.artifacts)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, dossier.bundle.root)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "airgap", "version": __version__}]},
            "component": _bundle(dossier.bundle),
        },
        "components": components,
        "dependencies": [{"ref": "bundle", "dependsOn": [component["bom-ref"] for component in components]}],
    }


def _bundle(bundle: BundleFacts) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": bundle.sha256}] if bundle.sha256 else []
    return {
        "type": "file",
        "bom-ref": "bundle",
        "name": bundle.name or bundle.file,
        **({"version": bundle.version} if bundle.version else {}),
        **({"hashes": hashes} if hashes else {}),
        "properties": [_property("root", bundle.root), _property("size", str(bundle.size))],
    }


def _image(image: ImageFacts) -> dict[str, Any]:
    reference = f"image:{image.reference}"
    several = len(image.platforms) > 1
    properties = [_property("from", image.registry)]
    properties += [_property("size", str(image.total))] if image.total is not None else []
    properties += [_property("signer", one.signer) for one in image.attached("signature") if one.signer]
    parts = [_platform(reference, platform) for platform in image.platforms] if several else []
    if not several:
        parts = [part for platform in image.platforms for part in _packages(reference, platform)]
    return {
        "type": "container",
        "bom-ref": reference,
        "name": image.reference,
        "version": image.digest,
        "purl": image_purl(image),
        **_hashes(image.digest),
        **_licences(image.label_values(LICENCES)),
        **_source(image.label_values(SOURCE)),
        "properties": properties,
        **({"components": parts} if parts else {}),
    }


def _platform(image: str, platform: PlatformFacts) -> dict[str, Any]:
    reference = f"{image}#{platform.digest}"
    packages = _packages(reference, platform)
    return {
        "type": "container",
        "bom-ref": reference,
        "name": platform.platform or platform.digest,
        "version": platform.digest,
        **_hashes(platform.digest),
        "properties": [_property("user", platform.user or "root"), _property("size", str(platform.size))],
        **({"components": packages} if packages else {}),
    }


def _packages(parent: str, platform: PlatformFacts) -> list[dict[str, Any]]:
    system = platform.contents.system
    return [
        _package(f"{parent}#{number}", package, system) for number, package in enumerate(platform.contents.packages)
    ]


def _package(reference: str, package: Package, system: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": reference,
        "name": package.name,
        "version": package.version,
        "purl": package_purl(package, system),
        **_licences([package.licence] if package.licence else []),
    }


def _artifact(number: int, artifact: ArtifactFacts) -> dict[str, Any]:
    properties = [_property("format", artifact.format), _property("size", str(artifact.size))]
    properties += [_property("file", artifact.file)]
    return {
        "type": "file" if artifact.format == "raw" else "library",
        "bom-ref": f"artifact:{number}:{artifact.format}:{artifact.name}:{artifact.version}:{artifact.file}",
        "name": artifact.name,
        **({"version": artifact.version} if artifact.version else {}),
        "purl": artifact_purl(artifact),
        **_hashes(artifact.digest),
        **_source([artifact.source] if artifact.source else []),
        "properties": properties,
    }


def _hashes(digest: str) -> dict[str, Any]:
    algorithm, _, content = digest.partition(":")
    return {"hashes": [{"alg": _ALGORITHMS[algorithm], "content": content}]} if algorithm in _ALGORITHMS else {}


def _licences(names: list[str]) -> dict[str, Any]:
    # By name: a label may hold anything, and "id" and "expression" take what SPDX knows.
    return {"licenses": [{"license": {"name": name}} for name in names]} if names else {}


def _source(addresses: list[str]) -> dict[str, Any]:
    """The addresses that the schema's format iri-reference takes: those of plain characters."""
    plain = [address for address in addresses if address.isascii() and address.isprintable() and "://" in address]
    plain = [address for address in plain if not set(address) & set(' "<>\\^`{|}%#[]')]
    return {"externalReferences": [{"type": "distribution", "url": address} for address in plain]} if plain else {}


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"airgap:{name}", "value": value}

# SPDX-License-Identifier: Apache-2.0
"""The dossier as JSON: what an approval signs. It names the bundle by the SHA-256 of ``airgap/bundle.json``."""

from __future__ import annotations

import json
from typing import Any

from airgap.bundle.artifact_comparison import ArtifactComparison
from airgap.dossier.facts import (
    ArtifactFacts,
    BundleFacts,
    Changes,
    Contents,
    DocumentFacts,
    Dossier,
    ImageFacts,
    PlatformFacts,
    ScanFacts,
)

#: The version of the format, and the key by which a dossier is told from other documents.
FORMAT, KIND = 1, "dossier"


def to_bytes(dossier: Dossier) -> bytes:
    """Return the JSON document, the same bytes for the same facts."""
    return json.dumps(to_json(dossier), ensure_ascii=True, indent=1).encode() + b"\n"


def to_json(dossier: Dossier) -> dict[str, Any]:
    """Return the document. Digests have their algorithm's name, as in the inventory."""
    return {
        "format": FORMAT,
        "kind": KIND,
        "bundle": _bundle(dossier.bundle),
        "scan": _scan(dossier.scan) if dossier.scan else None,
        "purpose": dossier.purpose or None,
        "since": _changes(dossier.changes) if dossier.changes else None,
        "images": [_image(image) for image in dossier.images],
        "artifacts": [_artifact(artifact) for artifact in dossier.artifacts],
        "resources": [
            {"name": resource.name, "sha256": resource.sha256, "images": resource.images}
            for resource in dossier.resources
        ],
        "documents": [_document(document) for document in dossier.documents],
        "skipped": [{"name": name, "why": why} for name, why in dossier.skipped],
        "notes": dossier.notes or None,
    }


def _bundle(bundle: BundleFacts) -> dict[str, Any]:
    return {
        "file": bundle.file,
        "name": bundle.name or None,
        "version": bundle.version or None,
        "root": bundle.root,
        "sha256": bundle.sha256 or None,
        "size": bundle.size,
        "files": [{"name": file.name, "sha256": file.sha256 or None, "size": file.size} for file in bundle.files],
        "signers": list(bundle.signers),
        "requires": bundle.requires,
        "made": bundle.made,
    }


def _scan(scan: ScanFacts) -> dict[str, Any]:
    return {
        "sha256": scan.sha256,
        "engine": scan.engine,
        "database": scan.database or None,
        "date": scan.date or None,
        "complete": scan.clean,
        "files": scan.files,
        "bytes": scan.bytes,
        "reused": scan.reused,
        "findings": scan.findings,
        "omissions": scan.omissions,
        "found": [
            {"place": one.place, "file": one.file, "signature": one.what, "of": list(one.users)} for one in scan.found
        ],
        "notScanned": [
            {"place": one.place, "file": one.file, "reason": one.reason, "detail": one.what, "of": list(one.users)}
            for one in scan.not_scanned
        ],
    }


def _image(image: ImageFacts) -> dict[str, Any]:
    return {
        "reference": image.reference,
        "digest": image.digest,
        "mediaType": image.media_type,
        "from": image.registry,
        "size": image.total,
        "own": image.own,
        "shared": image.shared,
        "derivedFrom": image.derived_from or None,
        "complete": image.complete,
        "platforms": [_platform(platform) for platform in image.platforms],
        "attached": [
            {"kind": one.kind, "type": one.type, "signer": one.signer or None, "digest": one.digest,
             "subject": one.subject}
            for one in image.attachments
        ],
        "usedBy": [{"file": use.file, "line": use.line} for use in image.uses],
    }  # fmt: skip


def _platform(platform: PlatformFacts) -> dict[str, Any]:
    return {
        "platform": platform.platform or None,
        "digest": platform.digest,
        "size": platform.size,
        "container": platform.is_container,
        "created": platform.created or None,
        "user": platform.user or None,
        "root": platform.is_root,
        "entrypoint": list(platform.entrypoint),
        "command": list(platform.command),
        "labels": dict(sorted(platform.labels.items())),
        "layers": [
            {"digest": layer.digest, "size": layer.size, "shared": layer.shared, "carried": layer.carried}
            for layer in platform.layers
        ],
        "contents": _contents(platform.contents),
    }


def _contents(contents: Contents) -> dict[str, Any]:
    if contents.unread:
        return {"unread": contents.unread}
    return {
        "system": contents.system or None,
        "privilegedFiles": [{"path": file.path, "mode": file.mode} for file in contents.privileged],
        "packagesComplete": contents.packages_complete,
        "packages": [
            {"kind": one.kind, "name": one.name, "version": one.version, "architecture": one.architecture or None,
             "licence": one.licence or None}
            for one in contents.packages
        ],
    }  # fmt: skip


def _artifact(artifact: ArtifactFacts) -> dict[str, Any]:
    return {
        "format": artifact.format,
        "name": artifact.name,
        "version": artifact.version or None,
        "file": artifact.file,
        "digest": artifact.digest,
        "size": artifact.size,
        "from": artifact.source or None,
        "properties": dict(sorted(artifact.properties.items())),
    }


def _document(document: DocumentFacts) -> dict[str, Any]:
    return {
        "name": document.name,
        "sha256": document.sha256,
        "size": document.size,
        "kind": document.kind or None,
        "about": document.about or None,
        "vulnerabilities": dict(document.severities),
        "components": document.parts,
    }


def _changes(changes: Changes) -> dict[str, Any]:
    return {
        "name": changes.name,
        "root": changes.root,
        "images": [
            {"reference": image.reference, "change": image.status, "old": image.old or None, "new": image.new or None}
            for image in changes.images
        ],
        "artifacts": [_artifact_change(artifact) for artifact in changes.artifacts],
    }


def _artifact_change(artifact: ArtifactComparison) -> dict[str, Any]:
    return artifact.to_json()

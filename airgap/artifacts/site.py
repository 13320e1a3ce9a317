# SPDX-License-Identifier: Apache-2.0
"""The artifacts of a bundle as ``airgap serve`` offers them: each format below ``/FORMAT/``, as its clients read it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import Format
from airgap.artifacts.formats import MODULES, format_named
from airgap.artifacts.manifest import parse_manifest
from airgap.artifacts.web import quote_path
from airgap.bundle import BundleReader
from airgap.oci import Descriptor
from airgap.server.site import SiteFile

#: Addresses by which clients reach the server whose indexes are kept.
_MAX_BASES = 16
_TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json", ".yaml": "text/yaml", ".xml": "text/xml"}


class ArtifactSite:
    """Thread-safe. Artifacts whose file is not in the bundle are left out."""

    def __init__(self, bundle: BundleReader) -> None:
        self._artifacts: dict[str, list[Artifact]] = {}
        incomplete = bundle.inventory.incomplete
        for entry in bundle.inventory.artifacts:
            if entry.format in MODULES and entry.descriptor.digest not in incomplete:
                artifact = parse_manifest(bundle.manifest(entry.descriptor.digest), where=str(bundle))
                self._artifacts.setdefault(entry.format, []).append(artifact)
        self._files = {
            f"{name}/{format_named(name).layout.path(artifact)}": artifact
            for name, artifacts in self._artifacts.items()
            for artifact in artifacts
        }
        self._documents: dict[tuple[str, str], Mapping[str, bytes]] = {}
        self._lock = threading.Lock()

    @property
    def formats(self) -> list[str]:
        """The formats that have an artifact."""
        return list(self._artifacts)

    @property
    def files(self) -> Mapping[str, Artifact]:
        """The artifacts by the paths of their files."""
        return self._files

    def find(self, path: str, base_url: str) -> SiteFile | None:
        """Return what is at ``path``, without its first slash; a folder is its ``index.html`` or ``index.json``.

        ``base_url`` is the server's address as the client wrote it.
        """
        if artifact := self._files.get(path):
            descriptor = Descriptor("application/octet-stream", artifact.digest, artifact.size)
            return SiteFile(descriptor.media_type, descriptor=descriptor)
        name, _, inner = path.partition("/")
        if name not in self._artifacts:
            return None
        documents = self._documents_of(format_named(name), f"{base_url}/{name}")
        if not inner or inner.endswith("/"):
            index = next(
                (f"{inner}{file}" for file in ("index.html", "index.json") if f"{inner}{file}" in documents), ""
            )
            return _document(index, documents[index]) if index else None
        if inner in documents:
            return _document(inner, documents[inner])
        if f"{inner}/index.html" in documents:
            return SiteFile("text/plain", moved_to=quote_path(f"/{path}/"))
        return None

    def _documents_of(self, artifact_format: Format, base_url: str) -> Mapping[str, bytes]:
        with self._lock:
            key = (artifact_format.name, base_url)
            if key not in self._documents:
                if len(self._documents) >= _MAX_BASES:
                    self._documents.clear()
                artifacts = self._artifacts[artifact_format.name]
                self._documents[key] = artifact_format.layout.documents(artifacts, base_url)
            return self._documents[key]


def _document(path: str, content: bytes) -> SiteFile:
    suffix = path[path.rfind(".") :] if "." in path.rpartition("/")[2] else ""
    return SiteFile(_TYPES.get(suffix, "application/octet-stream"), content=content)

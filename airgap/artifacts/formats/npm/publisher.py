# SPDX-License-Identifier: Apache-2.0
"""npm packages on the far side: Nexus's format npm, and the document that ``npm publish`` sends to other registries."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from airgap import bounded_json
from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import UploadForm
from airgap.artifacts.formats.npm.names import file_name, file_path, latest
from airgap.artifacts.formats.npm.package_json import INTEGRITY
from airgap.artifacts.formats.npm.packument import version_document
from airgap.artifacts.put import descriptor_of, find_by_path
from airgap.artifacts.repository import ArtifactRepository, ServerRepository
from airgap.artifacts.web import Body, WebServer
from airgap.durable import writing
from airgap.errors import ContentError, NotFound, TargetError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.records import replace
from airgap.store.protocols import Opener
from airgap.store.readers import FileRange, read_verified
from airgap.transfer import Context, parallel_map


class NpmPublisher:
    """Nexus keeps a file under ``NAME/-/FILE``, as every registry does."""

    nexus_format = "npm"

    def path(self, artifact: Artifact) -> str:
        """The path in the package's document."""
        return file_path(artifact.name, artifact.version)

    def form(self, artifact: Artifact) -> UploadForm:
        """Nexus reads name and version from the file."""
        return UploadForm()

    def native(self, server: WebServer) -> ArtifactRepository:
        """A registry such as verdaccio."""
        return NpmRegistry(server)


class NpmRegistry(ServerRepository):
    """A registry: ``GET NAME`` is a package's document, ``PUT NAME`` publishes one version with its file in it."""

    def __init__(self, server: WebServer) -> None:
        super().__init__(server)
        self._lock = threading.Lock()
        #: By package: one version is published at a time, since a registry rewrites the whole document.
        self._package_locks: dict[str, threading.Lock] = {}
        self._versions: dict[str, set[str]] = {}
        self._published: set[Artifact] = set()

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Read the document of each package. A file that differs from what its document should say, or that was
        published by this run, is fetched and hashed."""
        by_name: dict[str, list[Artifact]] = {}
        for artifact in artifacts:
            by_name.setdefault(artifact.name, []).append(artifact)
        answers = parallel_map(by_name, self._documents, workers=context.jobs.control, cancel=context.cancel)
        found: dict[Artifact, str] = {}
        unknown: list[Artifact] = []
        for name, versions in zip(by_name, answers, strict=True):
            if not isinstance(versions, dict):
                continue
            self._versions[name] = set(versions)
            for artifact in by_name[name]:
                if artifact.version not in versions:
                    continue
                equal = _integrity(versions[artifact.version]) == artifact.properties.get(INTEGRITY)
                if equal and artifact not in self._published:
                    found[artifact] = artifact.digest
                else:
                    unknown.append(artifact)
        path_of = NpmPublisher().path
        return {**found, **find_by_path(self._server, unknown, path_of, context)}

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """Publish one version. ``latest`` follows the highest one."""
        with self._lock:
            package_lock = self._package_locks.setdefault(artifact.name, threading.Lock())
        with tempfile.TemporaryFile() as file, package_lock:
            content = _encode(artifact, opener, file)
            versions = {*self._versions.get(artifact.name, ()), artifact.version}
            tags = {"latest": artifact.version} if latest(versions) == artifact.version else {}
            before, after = self._document(artifact, tags)
            body = Body(
                content, lambda offset: FileRange(file.fileno(), offset, content.size - offset),
                before=before, after=after, headers={"Content-Type": "application/json"},
            )  # fmt: skip
            package = self._package(artifact.name)
            package.client.retry.run(f"PUT {artifact.name}", lambda: _put(package, body))
            self._versions[artifact.name] = versions
            self._published.add(artifact)

    def url(self, artifact: Artifact) -> str:
        """Return the address of the file."""
        return self._server.url(f"/{file_path(artifact.name, artifact.version)}")

    def _document(self, artifact: Artifact, tags: Mapping[str, str]) -> tuple[bytes, bytes]:
        """The JSON before and behind the file's content."""
        document = {
            "_id": artifact.name,
            "name": artifact.name,
            "dist-tags": tags,
            "versions": {artifact.version: version_document(artifact, str(self._server))},
            "_attachments": {
                file_name(artifact.name, artifact.version): {
                    "content_type": "application/octet-stream", "length": artifact.size, "data": "",
                }
            },
        }  # fmt: skip
        # "data" comes last, so that the content can be put between its quotation marks.
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        end = b'"}}}'
        return text[: -len(end)], end

    def _package(self, name: str) -> WebServer:
        """A package's own address. The slash of a scope is encoded, as npm does it."""
        address = self._server.address
        quoted = self._server.url(f"/{name}").removeprefix(f"{self._server}/").replace("/", "%2f")
        return WebServer(self._server.client, replace(address, path=f"{address.path}/{quoted}"))

    def _documents(self, name: str) -> dict[str, Any]:
        """What the registry has of each version."""
        try:
            content = self._package(name).get(accept="application/json").body
        except NotFound:
            return {}
        try:
            versions = bounded_json.parse(content, "download", where=f"{self._server}/{name}")["versions"]
        except bounded_json.TooLarge:
            raise
        except (ContentError, KeyError, TypeError) as error:
            raise TargetError(
                tr("this is no registry of npm: it answers with no package's document"),
                where=f"{self._server}/{name}",
                hint=tr("the address of a repository in Nexus is …/repository/NAME"),
            ) from error
        return versions if isinstance(versions, dict) else {}


def _put(package: WebServer, body: Body) -> None:
    response = package.send("PUT", "", body)
    if response.status == 409:
        raise TargetError(
            tr("the registry says that this version is already there"), where=str(package),
            hint=tr("a changed package needs a new version"),
        )  # fmt: skip
    if response.status not in (200, 201):
        raise response.error()


def _integrity(version: Any) -> str:
    dist = version.get("dist") if isinstance(version, dict) else None
    return str(dist.get("integrity")) if isinstance(dist, dict) else ""


def _encode(artifact: Artifact, opener: Opener, file: BinaryIO) -> Descriptor:
    """Write a file's content as base64; return the descriptor of the text."""
    content_hash, rest = hashlib.sha256(), bytearray()

    def write(content: bytes) -> None:
        text = base64.b64encode(content)
        content_hash.update(text)
        with writing(Path(tempfile.gettempdir())):
            file.write(text)
            file.flush()

    def encode_piece(content: memoryview, offset: int) -> None:
        rest.extend(content)
        whole = len(rest) - len(rest) % 3
        write(bytes(rest[:whole]))
        del rest[:whole]

    reader = opener(0)
    try:
        read_verified(descriptor_of(artifact), reader, encode_piece)
    finally:
        reader.close()
    write(bytes(rest))
    return Descriptor("application/json", f"sha256:{content_hash.hexdigest()}", file.tell())

# SPDX-License-Identifier: Apache-2.0
"""Reads poms and checksums from repositories, each once in a run, several at a time."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Sequence

from airgap.artifacts.artifact import Download
from airgap.artifacts.formats.maven.coordinates import Coordinates
from airgap.artifacts.formats.maven.metadata import metadata_path, parse_metadata
from airgap.artifacts.formats.maven.model import Model, build_model
from airgap.artifacts.formats.maven.pom import Pom, parse_pom
from airgap.artifacts.formats.maven.settings_xml import MavenSettings
from airgap.artifacts.web import Address, WebServer
from airgap.artifacts.workspace import Workspace
from airgap.errors import AirgapError, DigestMismatch, NotFound
from airgap.i18n import tr
from airgap.transfer import parallel_map

#: What a repository has beside each file: the digest's name, its digits and the suffix. SHA-1 is what every one has.
_CHECKSUMS = (("sha1", 40), ("md5", 32))


class Repositories:
    """The ``repositories`` of an entry, asked in their order."""

    def __init__(self, urls: Sequence[str], settings: MavenSettings, workspace: Workspace, *, where: str) -> None:
        self._servers = [workspace.server(str(Address.parse(url)), settings.find(url)) for url in urls]
        self._context = workspace.context
        self._where = where
        self._lock = threading.Lock()
        self._poms: dict[Coordinates, Pom] = {}
        self._models: dict[Coordinates, Model] = {}
        self._places: dict[Coordinates, Download] = {}
        self._versions: dict[tuple[str, str], tuple[str, ...]] = {}

    def pom(self, coordinates: Coordinates) -> Pom:
        """Return a pom. Raises :class:`NotFound` if no repository has it, :class:`DigestMismatch` if it is not what its
        checksum says, and :class:`airgap.errors.ContentError`."""
        with self._lock:
            known = self._poms.get(coordinates)
        if known is not None:
            return known
        server, content = self._get(coordinates)
        download = self._download(server, coordinates)
        for expected in download.expected:
            algorithm = expected.partition(":")[0]
            found = f"{algorithm}:{hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()}"
            if found != expected:
                raise DigestMismatch(
                    tr("it hashes to {found}, and {expected} is expected", found=found, expected=expected),
                    where=f"{self._where}: {server}/{coordinates.path}",
                    hint=tr("the repository has another file than its checksum says; nothing of it is carried"),
                )
        pom = parse_pom(content, where=f"{server}/{coordinates.path}")
        with self._lock:
            self._poms[coordinates], self._places[coordinates] = pom, download
        return pom

    def models(self, coordinates: Sequence[Coordinates]) -> list[Model]:
        """Return the models of poms, read several at a time."""

        def build(own: Coordinates) -> Model:
            with self._lock:
                known = self._models.get(own)
            model = known or build_model(self.pom(own), self.pom, where=f"{self._where}: {own}")
            with self._lock:
                self._models[own] = model
            return model

        wanted = list(dict.fromkeys(coordinates))
        context = self._context
        built = parallel_map(wanted, build, workers=context.jobs.control, cancel=context.cancel)
        by_coordinates = {own: model for own, model in zip(wanted, built, strict=True) if isinstance(model, Model)}
        return [by_coordinates[own] for own in coordinates]

    def versions(self, group: str, artifact: str) -> tuple[str, ...]:
        """Return the versions that the repositories list of an artifact; none if they have no list.

        Raises :class:`airgap.errors.ContentError` for a list that is unreadable."""
        with self._lock:
            known = self._versions.get((group, artifact))
        if known is not None:
            return known
        path, found = metadata_path(group, artifact), dict[str, None]()
        for server in self._servers:
            try:
                content = server.get(f"/{path}").body
            except NotFound:
                continue
            found |= dict.fromkeys(parse_metadata(content, where=f"{self._where}: {server}/{path}"))
        with self._lock:
            self._versions[(group, artifact)] = tuple(found)
        return tuple(found)

    def downloads(self, files: Sequence[Coordinates]) -> list[Download]:
        """Return where each file is, with its checksum. Raises :class:`NotFound` for one that nobody has."""

        def locate(own: Coordinates) -> Download:
            with self._lock:
                known = self._places.get(own)
            if known is not None:
                return known
            for server in self._servers:
                if len(self._servers) == 1 or server.exists(f"/{own.path}"):
                    return self._download(server, own)
            raise self._missing(own)

        context = self._context
        located = parallel_map(files, locate, workers=context.jobs.control, cancel=context.cancel)
        return [download for download in located if isinstance(download, Download)]

    def _get(self, coordinates: Coordinates) -> tuple[WebServer, bytes]:
        for server in self._servers:
            try:
                return server, server.get(f"/{coordinates.path}").body
            except NotFound:
                continue
            except AirgapError as error:
                error.where = f"{self._where}: {error.where or server}"
                raise
        raise self._missing(coordinates)

    def _download(self, server: WebServer, own: Coordinates) -> Download:
        return Download(
            "maven", own.name, own.version, own.file, url=f"{server}/{own.path}",
            expected=self._checksum(server, own), properties=own.properties,
        )  # fmt: skip

    def _checksum(self, server: WebServer, own: Coordinates) -> tuple[str, ...]:
        """The first checksum that the repository has of a file."""
        for algorithm, digits in _CHECKSUMS:
            try:
                text = server.get(f"/{own.path}.{algorithm}").body[:1000].decode("ascii", "replace")
            except NotFound:
                continue
            # Some have "DIGEST  FILE", or "ALGORITHM (FILE) = DIGEST".
            numbers = re.findall(r"[0-9a-fA-F]+", text)
            if digest := next((number for number in numbers if len(number) == digits), ""):
                return (f"{algorithm}:{digest.lower()}",)
        return ()

    def _missing(self, coordinates: Coordinates) -> NotFound:
        return NotFound(
            tr("no repository has {coordinates}", coordinates=coordinates),
            where=self._where,
            hint=tr("asked: {servers}; repositories: names others", servers=", ".join(map(str, self._servers))),
        )

# SPDX-License-Identifier: Apache-2.0
"""Reads poms as Maven does, and names every file that a pom or an artifact needs at compile and run time, with the pom
of each, their parents and the BOMs that they import.

Maven's own ``dependency:go-offline`` needs plugins, which small repositories lack; poms are in every repository.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.artifacts.artifact import Download
from airgap.artifacts.format import FindCredential
from airgap.artifacts.formats.maven.coordinates import Coordinates, extension_of
from airgap.artifacts.formats.maven.model import build_model
from airgap.artifacts.formats.maven.pom import MAX_POM, Dependency, Pom, parse_pom
from airgap.artifacts.formats.maven.repositories import Repositories
from airgap.artifacts.formats.maven.settings_xml import MavenSettings
from airgap.artifacts.formats.maven.tree import walk
from airgap.artifacts.settings import ArtifactEntry, EntryForm, EntryShape
from airgap.artifacts.web import Address
from airgap.artifacts.workspace import Workspace
from airgap.errors import AirgapError, ContentError, UsageError

#: The property with the SHA-1 that repositories have beside each file.
SHA1 = "sha1"
_PIECE = 1024 * 1024


class MavenCollector:
    """Poms of this machine, and artifacts by their coordinates, with everything that they need."""

    shape = EntryShape(
        (EntryForm(("pom",)), EntryForm(("coordinates",))),
        optional=("repositories",),
        lists=frozenset({"repositories"}),
        paths=frozenset({"pom"}),
    )

    def resolve(self, entries: Sequence[ArtifactEntry], workspace: Workspace) -> Sequence[Download]:
        """Walk the dependencies of each entry."""
        downloads: dict[Coordinates, Download] = {}
        for entry in entries:
            settings = MavenSettings(workspace.environment, entry.texts("repositories"))
            urls = entry.texts("repositories") or settings.default_repositories()
            try:
                for url in urls:
                    Address.parse(url)
                repositories = Repositories(urls, settings, workspace, where=entry.where)
                files = _of_pom(entry, repositories) if entry.text("pom") else _of_coordinates(entry, repositories)
                located = repositories.downloads([own for own in files if own not in downloads])
            except (UsageError, ContentError) as error:
                error.where = error.where or entry.where
                raise
            downloads |= {_coordinates_of(download): download for download in located}
        return list(downloads.values())

    def credentials(self, entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> FindCredential:
        """Those of the entries' repositories and of Maven's settings."""
        return MavenSettings(environment, [url for entry in entries for url in entry.texts("repositories")]).find

    def describe(self, download: Download, path: Path) -> Mapping[str, str]:
        """The SHA-1 that a repository has beside the file."""
        if download.file.endswith(".pom"):
            with path.open("rb") as file:
                parse_pom(file.read(MAX_POM + 1), where=download.label)
        sha1 = hashlib.sha1(usedforsecurity=False)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                sha1.update(piece)
        return {SHA1: sha1.hexdigest()}


def _of_pom(entry: ArtifactEntry, repositories: Repositories) -> list[Coordinates]:
    """What the project of a pom needs. The pom itself, and parents that lie beside it, are the project's own."""
    path = entry.path("pom")
    pom = parse_pom(entry.read("pom"), where=str(path))
    folders = {id(pom): path.parent}

    def beside(child: Pom) -> Pom | None:
        found = _local_parent(child, folders[id(child)])
        if found is not None:
            parent_path, parent = found
            folders[id(parent)] = parent_path.parent
            return parent
        return None

    model = build_model(pom, repositories.pom, where=str(path), local_parent=beside)
    return [*model.poms, *walk(model.dependencies, model.managed, repositories, where=str(path))]


def _local_parent(pom: Pom, folder: Path) -> tuple[Path, Pom] | None:
    """The parent beside a pom, if it is the one that the pom means."""
    assert pom.parent is not None
    group, artifact, version, relative = pom.parent
    if relative == "":
        return None
    path = folder / (relative or "../pom.xml")
    path = path / "pom.xml" if path.is_dir() else path
    try:
        with path.open("rb") as file:
            parent = parse_pom(file.read(MAX_POM + 1), where=str(path))
    except (OSError, AirgapError):
        return None
    own_group, own_version = (
        parent.group or (parent.parent or ("",))[0],
        parent.version or (parent.parent or ("",) * 3)[2],
    )
    return (path, parent) if (own_group, parent.artifact, own_version) == (group, artifact, version) else None


def _of_coordinates(entry: ArtifactEntry, repositories: Repositories) -> list[Coordinates]:
    """An artifact with what it needs: as the only dependency of a project."""
    own = Coordinates.parse(entry.text("coordinates"))
    wanted = Dependency(own.group, own.artifact, own.version, own.extension, own.classifier)
    (model,) = repositories.models([own.pom])
    if entry.text("coordinates").count(":") == 2 and model.packaging == "pom" and model.moved_to is None:
        # A BOM or a parent: it has no jar.
        wanted = Dependency(own.group, own.artifact, own.version, "pom")
    elif entry.text("coordinates").count(":") == 2 and model.moved_to is None:
        wanted = Dependency(own.group, own.artifact, own.version, extension_of(model.packaging))
    return walk([wanted], {}, repositories, where=entry.where)


def _coordinates_of(download: Download) -> Coordinates:
    properties = download.properties
    return Coordinates(
        properties["group"], properties["artifact"], download.version, properties["extension"],
        properties.get("classifier", ""),
    )  # fmt: skip

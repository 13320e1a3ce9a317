# SPDX-License-Identifier: Apache-2.0
"""Walks the tree of dependencies level by level: of several versions the nearest one wins, as in Maven."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from airgap.artifacts.formats.maven.coordinates import Coordinates, classifier_of, extension_of
from airgap.artifacts.formats.maven.model import Key, Model, is_excluded, managed_by
from airgap.artifacts.formats.maven.pom import Dependency
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record

_SCOPES = ("", "compile", "runtime")
_MAX_NODES = 50_000

#: Gives the models of poms; the pom of a file is asked for by the file's own coordinates.
ReadModels = Callable[[Sequence[Coordinates]], Sequence[Model]]


class _Node(Record):
    dependency: Dependency
    exclusions: tuple[tuple[str, str], ...]


def walk(
    dependencies: Iterable[Dependency], managed: Mapping[Key, Dependency], read: ReadModels, *, where: str
) -> list[Coordinates]:
    """Return every file that the ``dependencies`` of a project need, with the poms that Maven reads on the way.

    Raises :class:`UsageError` for versions that are a range, a snapshot or missing.
    """
    chosen: set[Key] = set()
    files: dict[Coordinates, None] = {}
    level = [_Node(entry, entry.exclusions) for entry in dependencies if entry.scope in _SCOPES]
    while level:
        winners = []
        coordinates = [_coordinates(node.dependency, where) for node in level]
        models = read([own.pom for own in coordinates])
        for node, own, model in zip(level, coordinates, models, strict=True):
            # Maven also reads the poms of versions that lose.
            files |= dict.fromkeys((own.pom, *model.poms))
            if node.dependency.key in chosen:
                continue
            chosen.add(node.dependency.key)
            files[own] = None
            winners.append((node, model))
        if len(files) > _MAX_NODES:
            raise UsageError(tr("more than {n} files are needed", n=_MAX_NODES), where=where)
        level = [
            _Node(entry, node.exclusions + entry.exclusions)
            for node, model in winners
            for entry in (managed_by(managed, inner) for inner in model.dependencies)
            if entry.scope in _SCOPES and entry.optional != "true" and not is_excluded(entry, node.exclusions)
            and entry.key not in chosen
        ]  # fmt: skip
    return list(files)


def _coordinates(entry: Dependency, where: str) -> Coordinates:
    kind = entry.kind or "jar"
    name = f"{entry.group}:{entry.artifact}"
    version = entry.version
    if version.startswith("[") and version.endswith("]") and "," not in version:
        version = version[1:-1].strip()
    if not version or "${" in version:
        raise UsageError(
            tr("no pom says which version of {name} is needed", name=name[:200]),
            where=where,
            hint=tr("name one in dependencyManagement of a pom, and take that pom"),
        )
    if version.startswith(("[", "(")):
        raise UsageError(
            tr("{name} is needed in a range of versions, {version}", name=name[:200], version=version[:60]),
            where=where,
            hint=tr("name one version in dependencyManagement of a pom, and take that pom"),
        )
    if version.endswith("-SNAPSHOT") or version in ("LATEST", "RELEASE"):
        raise UsageError(
            tr("{name} {version} is no release", name=name[:200], version=version[:60]),
            where=where,
            hint=tr("only releases are carried: what a snapshot holds changes"),
        )
    classifier = entry.classifier or classifier_of(kind)
    return Coordinates(entry.group, entry.artifact, version, extension_of(kind), classifier).checked()

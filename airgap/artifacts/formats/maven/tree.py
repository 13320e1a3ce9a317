# SPDX-License-Identifier: Apache-2.0
"""Walks the tree of dependencies level by level: of several versions the nearest one wins, as in Maven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from airgap.artifacts.formats.maven.coordinates import Coordinates, classifier_of, extension_of
from airgap.artifacts.formats.maven.model import Key, Model, is_excluded, managed_by
from airgap.artifacts.formats.maven.pom import Dependency
from airgap.artifacts.formats.maven.ranges import VersionRange, is_range
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record, replace

_SCOPES = ("", "compile", "runtime")
_MAX_NODES = 50_000
#: Poms that lead from one place to the next.
_MAX_MOVES = 10


class Reader(Protocol):
    """What repositories say of poms and versions."""

    def models(self, coordinates: Sequence[Coordinates]) -> Sequence[Model]:
        """Return the models of poms."""

    def versions(self, group: str, artifact: str) -> Sequence[str]:
        """Return the versions of an artifact that are listed."""


class _Node(Record):
    dependency: Dependency
    exclusions: tuple[tuple[str, str], ...]


def walk(
    dependencies: Iterable[Dependency], managed: Mapping[Key, Dependency], reader: Reader, *, where: str
) -> list[Coordinates]:
    """Return every file that the ``dependencies`` of a project need, with the poms that Maven reads on the way.

    Of a range of versions the highest one is taken that a repository lists. If a nearer dependency has a version
    outside of the range, both are taken: Maven may choose either.

    Raises :class:`UsageError` for versions that are a snapshot or missing, and for ranges that no version is in.
    """
    chosen: dict[Key, str] = {}
    taken: set[Coordinates] = set()
    files: dict[Coordinates, None] = {}
    level = [_Node(entry, entry.exclusions) for entry in dependencies if entry.scope in _SCOPES]
    while level:
        winners = []
        for node, own, model in _read(level, files, reader, where):
            nearer = chosen.setdefault(node.dependency.key, own.version)
            if own in taken or (own.version != nearer and _allows(node.dependency.version, nearer)):
                continue
            taken.add(own)
            files[own] = None
            winners.append((node, model))
        if len(files) > _MAX_NODES:
            raise UsageError(tr("more than {n} files are needed", n=_MAX_NODES), where=where)
        level = [
            _Node(entry, node.exclusions + entry.exclusions)
            for node, model in winners
            for entry in (managed_by(managed, inner) for inner in model.dependencies)
            if entry.scope in _SCOPES and entry.optional != "true" and not is_excluded(entry, node.exclusions)
            and not (entry.key in chosen and _allows(entry.version, chosen[entry.key]))
        ]  # fmt: skip
    return list(files)


def _read(
    level: Sequence[_Node], files: dict[Coordinates, None], reader: Reader, where: str
) -> list[tuple[_Node, Coordinates, Model]]:
    """Read the poms of a level and add them to ``files``; those that have moved are followed."""
    nodes, found = dict(enumerate(level)), dict[int, tuple[_Node, Coordinates, Model]]()
    for _ in range(_MAX_MOVES):
        coordinates = [_coordinates(node.dependency, reader, where) for node in nodes.values()]
        models = reader.models([own.pom for own in coordinates])
        moved = {}
        for (place, node), own, model in zip(nodes.items(), coordinates, models, strict=True):
            # Maven also reads the poms of versions that lose.
            files |= dict.fromkeys((own.pom, *model.poms))
            found[place] = (node, own, model)
            if model.moved_to is not None:
                group, artifact, version = model.moved_to
                dependency = replace(node.dependency, group=group, artifact=artifact, version=version)
                moved[place] = replace(node, dependency=dependency)
        if not moved:
            return [found[place] for place in range(len(level))]
        nodes = moved
    raise UsageError(
        tr("{name} has moved, and where to is not found after {n} poms", name=node.dependency.artifact, n=_MAX_MOVES),
        where=where,
    )


def _allows(wanted: str, version: str) -> bool:
    """Whether a nearer dependency with this version is taken instead: any will do unless a range is wanted."""
    return not is_range(wanted) or VersionRange.parse(wanted).contains(version)


def _coordinates(entry: Dependency, reader: Reader, where: str) -> Coordinates:
    kind = entry.kind or "jar"
    name = f"{entry.group}:{entry.artifact}"
    version = entry.version
    if is_range(version) and "${" not in version:
        version = _highest(entry, reader, where)
    if not version or "${" in version:
        raise UsageError(
            tr("no pom says which version of {name} is needed", name=name[:200]),
            where=where,
            hint=tr("name one in dependencyManagement of a pom, and take that pom"),
        )
    if version.endswith("-SNAPSHOT") or version in ("LATEST", "RELEASE"):
        raise UsageError(
            tr("{name} {version} is no release", name=name[:200], version=version[:60]),
            where=where,
            hint=tr("only releases are carried: what a snapshot holds changes"),
        )
    classifier = entry.classifier or classifier_of(kind)
    return Coordinates(entry.group, entry.artifact, version, extension_of(kind), classifier).checked()


def _highest(entry: Dependency, reader: Reader, where: str) -> str:
    """The highest version in a range; one version in brackets needs no list."""
    wanted = VersionRange.parse(entry.version)
    (first, *others) = wanted.intervals
    if not others and first.lower == first.upper:
        return first.lower
    name = f"{entry.group}:{entry.artifact}"
    listed = reader.versions(entry.group, entry.artifact)
    if found := wanted.highest(listed):
        return found
    hint = tr("name one version in dependencyManagement of a pom, and take that pom")
    if not listed:
        what = tr(
            "{name} is needed in a range of versions, {version}, and no repository lists its versions",
            name=name[:200], version=entry.version[:60],
        )  # fmt: skip
        raise UsageError(what, where=where, hint=hint)
    what = tr(
        "no version of {name} is in the range {version}; there are {versions}",
        name=name[:200], version=entry.version[:60], versions=", ".join(listed[-5:])[:200],
    )  # fmt: skip
    raise UsageError(what, where=where, hint=hint)

# SPDX-License-Identifier: Apache-2.0
"""What a pom says together with its parents and the BOMs that it imports (maven.apache.org, "Introduction to the POM",
"Introduction to the Dependency Mechanism")."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from airgap.artifacts.formats.maven.coordinates import Coordinates
from airgap.artifacts.formats.maven.pom import Dependency, Pom
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import Record, field, replace

_EXPRESSION = re.compile(r"\$\{([^{}]*)\}")
_MAX_PARENTS = 50
_MAX_EXPRESSIONS = 20

Key = tuple[str, str, str, str]
ReadPom = Callable[[Coordinates], Pom]
#: Finds a parent that lies beside a pom of this machine, by its relativePath.
LocalParent = Callable[[Pom], "Pom | None"]


class Model(Record):
    """A pom with everything inherited and every ``${…}`` replaced.

    ``poms`` are the coordinates of the poms of repositories that it was made from: parents, BOMs and their parents.
    ``moved_to`` is group, artifact and version of what is taken instead ("Relocation"), or ``None``.
    """

    coordinates: Coordinates
    packaging: str
    dependencies: tuple[Dependency, ...]
    managed: Mapping[Key, Dependency] = field(repr=False)
    poms: tuple[Coordinates, ...] = ()
    moved_to: tuple[str, str, str] | None = None


def build_model(
    pom: Pom, read: ReadPom, *, where: str, local_parent: LocalParent | None = None, depth: int = 0
) -> Model:
    """Return the model of a pom; ``read`` gives the poms of parents and BOMs.

    Raises :class:`ContentError` for poms that are each other's parents or BOMs, and what ``read`` raises.
    """
    if depth > _MAX_PARENTS:
        raise ContentError(tr("its BOMs import each other, or there are too many"), where=where)
    chain, poms = _with_parents(pom, read, where, local_parent)
    properties: dict[str, str] = {}
    for ancestor in reversed(chain):
        properties.update(ancestor.properties)
    group = next((own.group or (own.parent or ("",))[0] for own in chain if own.group or own.parent), "")
    version = next(
        (own.version or (own.parent[2] if own.parent else "") for own in chain if own.version or own.parent), ""
    )
    builtin = {"groupId": group, "artifactId": pom.artifact, "version": version, "packaging": pom.packaging}
    for name, value in builtin.items():
        properties |= {f"project.{name}": value, f"pom.{name}": value}
    if pom.parent is not None:
        properties |= {
            f"project.parent.{n}": v for n, v in zip(("groupId", "artifactId", "version"), pom.parent[:3], strict=True)
        }
    interpolate = _interpolator(properties)
    managed: dict[Key, Dependency] = {}
    imports: list[Dependency] = []
    for ancestor in chain:
        for entry in ancestor.managed:
            entry = _interpolated(entry, interpolate)
            if entry.scope == "import" and entry.kind == "pom":
                imports.append(entry)
            else:
                managed.setdefault(entry.key, entry)
    for entry in imports:
        bom = Coordinates(entry.group, entry.artifact, entry.version, "pom").checked()
        imported = build_model(read(bom), read, where=str(bom), depth=depth + 1)
        poms += (bom, *imported.poms)
        for key, inner in imported.managed.items():
            managed.setdefault(key, inner)
    dependencies: dict[Key, Dependency] = {}
    for ancestor in chain:
        for entry in ancestor.dependencies:
            entry = _interpolated(entry, interpolate)
            dependencies.setdefault(entry.key, _managed(entry, managed))
    own = Coordinates(interpolate(group), interpolate(pom.artifact), interpolate(version), "pom")
    moved_to = None
    if pom.relocation is not None:
        defaults = (own.group, own.artifact, own.version)
        group, artifact, version = (
            interpolate(text) or default for text, default in zip(pom.relocation, defaults, strict=True)
        )
        moved_to = (group, artifact, version) if (group, artifact, version) != defaults else None
    return Model(
        own, interpolate(pom.packaging), tuple(dependencies.values()), managed, tuple(dict.fromkeys(poms)), moved_to
    )


def _with_parents(
    pom: Pom, read: ReadPom, where: str, local_parent: LocalParent | None
) -> tuple[list[Pom], tuple[Coordinates, ...]]:
    """A pom and its parents, the nearest first, and the coordinates of those that came from a repository."""
    chain, poms = [pom], []
    while (parent := chain[-1].parent) is not None:
        if len(chain) > _MAX_PARENTS:
            raise ContentError(tr("its parents lead back to it, or there are too many"), where=where)
        beside = local_parent(chain[-1]) if local_parent is not None else None
        if beside is not None:
            chain.append(beside)
            continue
        local_parent = None
        coordinates = Coordinates(*parent[:3], "pom")
        if "${" in coordinates.version:
            version = _interpolator({k: v for own in reversed(chain) for k, v in own.properties.items()})(
                coordinates.version
            )
            coordinates = replace(coordinates, version=version)
        poms.append(coordinates.checked())
        chain.append(read(coordinates))
    return chain, tuple(poms)


def _managed(entry: Dependency, managed: Mapping[Key, Dependency]) -> Dependency:
    """A dependency with what dependencyManagement says where it says nothing itself."""
    rule = managed.get(entry.key)
    if rule is None:
        return entry
    return replace(
        entry, version=entry.version or rule.version, scope=entry.scope or rule.scope,
        optional=entry.optional or rule.optional, exclusions=entry.exclusions + rule.exclusions,
    )  # fmt: skip


def _interpolated(entry: Dependency, interpolate: Callable[[str], str]) -> Dependency:
    return Dependency(
        interpolate(entry.group), interpolate(entry.artifact), interpolate(entry.version), interpolate(entry.kind),
        interpolate(entry.classifier), interpolate(entry.scope), interpolate(entry.optional), entry.exclusions,
    )  # fmt: skip


def _interpolator(properties: Mapping[str, str]) -> Callable[[str], str]:
    def interpolate(text: str) -> str:
        for _ in range(_MAX_EXPRESSIONS):
            replaced = _EXPRESSION.sub(lambda match: properties.get(match[1], match[0]), text)
            if replaced == text or len(replaced) > 4096:
                break
            text = replaced
        return text

    return interpolate


def managed_by(root: Mapping[Key, Dependency], entry: Dependency) -> Dependency:
    """A transitive dependency as the project's own dependencyManagement wants it, which goes before all others."""
    rule = root.get(entry.key)
    if rule is None:
        return entry
    return replace(
        entry, version=rule.version or entry.version, scope=rule.scope or entry.scope,
        exclusions=entry.exclusions + rule.exclusions,
    )  # fmt: skip


def is_excluded(entry: Dependency, exclusions: Sequence[tuple[str, str]]) -> bool:
    """Whether an exclusion names a dependency; ``*`` is any name."""
    return any(group in ("*", entry.group) and artifact in ("*", entry.artifact) for group, artifact in exclusions)

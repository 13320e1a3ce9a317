# SPDX-License-Identifier: Apache-2.0
"""One pom as it is written (maven.apache.org, "POM Reference"): texts in which ``${…}`` stands as it is."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping

from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import Record, field

#: Bytes of a pom at most, and elements in it.
MAX_POM = 8 * 1024 * 1024


class Dependency(Record):
    """An entry of ``dependencies`` or ``dependencyManagement``; texts are empty where it does not say them."""

    group: str
    artifact: str
    version: str = ""
    kind: str = ""
    classifier: str = ""
    scope: str = ""
    optional: str = ""
    exclusions: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What management and mediation go by."""
        return self.group, self.artifact, self.kind or "jar", self.classifier


class Pom(Record):
    """``parent`` is group, artifact, version and relativePath of the parent, or ``None``. ``relocation`` is group,
    artifact and version of where the artifact has moved, each empty if it is the same, or ``None``."""

    group: str
    artifact: str
    version: str
    packaging: str
    parent: tuple[str, str, str, str | None] | None
    properties: Mapping[str, str] = field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()
    managed: tuple[Dependency, ...] = ()
    relocation: tuple[str, str, str] | None = None


def parse_pom(content: bytes, *, where: str) -> Pom:
    """Parse a pom. Raises :class:`ContentError`."""
    # Entities can make gigabytes of a few lines, and no pom needs them.
    if len(content) > MAX_POM or b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise ContentError(tr("this is no pom: it is too large, or defines entities"), where=where)
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ContentError(tr("this is no pom ({error})", error=error), where=where) from error
    if _name(root) != "project":
        raise ContentError(tr("this is no pom: its root is {name!r}", name=_name(root)[:60]), where=where)
    parent = _child(root, "parent")
    properties = _child(root, "properties")
    distribution = _child(root, "distributionManagement")
    moved = None if distribution is None else _child(distribution, "relocation")
    return Pom(
        _text(root, "groupId"), _text(root, "artifactId"), _text(root, "version"), _text(root, "packaging") or "jar",
        None if parent is None else (
            _text(parent, "groupId"), _text(parent, "artifactId"), _text(parent, "version"),
            None if (path := _child(parent, "relativePath")) is None else (path.text or "").strip(),
        ),
        {_name(entry): (entry.text or "").strip() for entry in ([] if properties is None else properties)},
        tuple(_dependencies(root)),
        tuple(_dependencies(_child(root, "dependencyManagement"))),
        None if moved is None else (_text(moved, "groupId"), _text(moved, "artifactId"), _text(moved, "version")),
    )  # fmt: skip


def _dependencies(element: ElementTree.Element | None) -> Iterator[Dependency]:
    entries = None if element is None else _child(element, "dependencies")
    for entry in [] if entries is None else entries:
        exclusions = _child(entry, "exclusions")
        yield Dependency(
            _text(entry, "groupId"), _text(entry, "artifactId"), _text(entry, "version"), _text(entry, "type"),
            _text(entry, "classifier"), _text(entry, "scope"), _text(entry, "optional"),
            tuple((_text(e, "groupId"), _text(e, "artifactId")) for e in ([] if exclusions is None else exclusions)),
        )  # fmt: skip


def _name(element: ElementTree.Element) -> str:
    """The name without its namespace; a comment has none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _child(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((child for child in element if _name(child) == name), None)


def _text(element: ElementTree.Element, name: str) -> str:
    child = _child(element, name)
    return (child.text or "").strip() if child is not None else ""

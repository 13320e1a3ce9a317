# SPDX-License-Identifier: Apache-2.0
"""What a package says of itself: its ``.nuspec`` (NuGet's ".nuspec reference"), and what registries tell of that."""

from __future__ import annotations

import base64
import hashlib
import json
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.parsers import expat

from airgap import limits
from airgap.artifacts.artifact import Download
from airgap.artifacts.formats.nuget.names import check_id
from airgap.artifacts.formats.nuget.versions import Version, VersionRange
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import Record

#: The properties of an artifact: JSON, and the SHA-512 that registries tell, in base64.
METADATA, SHA512 = "metadata", "sha512"
#: Texts that clients show; only so much of each is kept.
_SHOWN = ("title", "authors", "description", "tags", "projectUrl", "iconUrl", "licenseUrl", "copyright")
_MAX_SHOWN = 4000
_MAX_DEPTH = 32
_MAX_ELEMENTS = 20_000
_MAX_MEMBERS = 100_000
_PIECE = 1024 * 1024


class Dependency(Record):
    """A package that another one needs, and the range of versions as it is written."""

    package: str
    range: str

    @property
    def versions(self) -> VersionRange:
        """The range. Raises :class:`ContentError`."""
        return VersionRange.parse(self.range)


class Nuspec(Record):
    """``groups`` are the dependencies by target framework, whose text is empty for any framework. ``shown`` are texts
    for people."""

    package: str
    version: Version
    groups: tuple[tuple[str, tuple[Dependency, ...]], ...] = ()
    shown: tuple[tuple[str, str], ...] = ()


def parse_nuspec(content: bytes, *, where: str) -> Nuspec:
    """Parse a ``.nuspec``. Raises :class:`ContentError`."""
    limit = limits.value("package-metadata-bytes")
    if len(content) > limit:
        raise ContentError(
            tr("this .nuspec has more than {limit} bytes", limit=limit),
            where=where,
            hint=limits.hint("package-metadata-bytes"),
        )
    try:
        root = _parse(content)
        metadata = next((child for child in root if child.tag == "metadata"), None) if root.tag == "package" else None
        if metadata is None:
            raise ValueError(tr("it has no metadata"))
        package, version = check_id(_text(metadata, "id")), Version.parse(_text(metadata, "version"))
        groups = tuple(_groups(metadata))
    except (expat.ExpatError, ValueError, LookupError, ContentError) as error:
        raise ContentError(tr("this is no .nuspec ({error})", error=error), where=where) from error
    shown = ((name, text[:_MAX_SHOWN]) for name in _SHOWN if (text := _text(metadata, name)))
    return Nuspec(package, version, groups, tuple(shown))


def read_nupkg(path: Path, label: str) -> Nuspec:
    """Return the ``.nuspec`` of a package's file. Raises :class:`ContentError` for what is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()[:_MAX_MEMBERS]
            member = next(
                (m for m in members if "/" not in m.filename and m.filename.lower().endswith(".nuspec")), None
            )
            if member is None:
                raise ValueError(tr("it has no .nuspec"))
            with archive.open(member) as file:
                content = file.read(limits.value("package-metadata-bytes") + 1)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise ContentError(tr("this is no NuGet package ({error})", error=error), where=label) from error
    return parse_nuspec(content, where=label)


def read_properties(path: Path, download: Download) -> Mapping[str, str]:
    """Return the properties of a package's file. Raises :class:`ContentError` for one that is not the package."""
    nuspec = read_nupkg(path, download.label)
    if (nuspec.package.lower(), str(nuspec.version)) != (download.name.lower(), download.version):
        raise ContentError(
            tr("this file is of the package {name} {version}", name=nuspec.package, version=nuspec.version),
            where=download.label,
        )
    sha512 = hashlib.sha512()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sha512.update(piece)
    groups = []
    for framework, dependencies in nuspec.groups:
        entries = [{"id": one.package, "range": one.range} for one in dependencies]
        groups.append({**({"targetFramework": framework} if framework else {}), "dependencies": entries})
    document = {"id": nuspec.package, "version": str(nuspec.version), **dict(nuspec.shown), "dependencyGroups": groups}
    return {
        METADATA: json.dumps(document, separators=(",", ":"), ensure_ascii=False),
        SHA512: base64.b64encode(sha512.digest()).decode(),
    }


def _parse(content: bytes) -> ElementTree.Element:
    """Build the tree without namespaces. A document type, which could define entities, is refused."""
    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate(namespace_separator="}")
    depth = count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > _MAX_DEPTH or count > _MAX_ELEMENTS:
            raise ValueError(tr("it has too many elements"))
        builder.start(name.rpartition("}")[2], attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition("}")[2])

    def refuse(*_: object) -> None:
        raise ValueError(tr("it defines entities"))

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)
    root: ElementTree.Element = builder.close()
    return root


def _groups(metadata: ElementTree.Element) -> Iterator[tuple[str, tuple[Dependency, ...]]]:
    """Dependencies in groups, or in the old form without."""
    for dependencies in metadata:
        if dependencies.tag != "dependencies":
            continue
        if plain := tuple(_dependencies(dependencies)):
            yield "", plain
        for group in dependencies:
            if group.tag == "group":
                yield group.get("targetFramework", "").strip()[:200], tuple(_dependencies(group))


def _dependencies(element: ElementTree.Element) -> Iterator[Dependency]:
    for child in element:
        if child.tag == "dependency":
            dependency = Dependency(check_id(child.get("id", "").strip()), child.get("version", "").strip())
            _ = dependency.versions
            yield dependency


def _text(element: ElementTree.Element, name: str) -> str:
    child = next((child for child in element if child.tag == name), None)
    return (child.text or "").strip() if child is not None else ""

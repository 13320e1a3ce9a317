# SPDX-License-Identifier: Apache-2.0
"""``maven-metadata.xml``, the list of an artifact's versions that ranges are resolved by ("Repository Metadata")."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

from airgap.artifacts.formats.maven.coordinates import Coordinates
from airgap.artifacts.formats.maven.versions import version_key
from airgap.errors import ContentError
from airgap.i18n import tr

#: Bytes of a list, and versions in it.
_MAX_BYTES = 4 * 1024 * 1024
_MAX_VERSIONS = 100_000


def metadata_path(group: str, artifact: str) -> str:
    """Return the path of the list below a repository."""
    return Coordinates(group, artifact, "0").path.rpartition("/0/")[0] + "/maven-metadata.xml"


def write_metadata(group: str, artifact: str, versions: Iterable[str]) -> bytes:
    """Return the list of these versions."""
    ordered = sorted(set(versions), key=version_key)
    root = ElementTree.Element("metadata")
    _add(root, "groupId", group)
    _add(root, "artifactId", artifact)
    versioning = _add(root, "versioning")
    _add(versioning, "latest", ordered[-1])
    _add(versioning, "release", ordered[-1])
    listed = _add(versioning, "versions")
    for version in ordered:
        _add(listed, "version", version)
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def parse_metadata(content: bytes, *, where: str) -> list[str]:
    """Return the versions of a list. Raises :class:`ContentError`."""
    # Entities can make gigabytes of a few lines.
    if len(content) > _MAX_BYTES or b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise ContentError(tr("this is no maven-metadata.xml: it is too large, or defines entities"), where=where)
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ContentError(tr("this is no maven-metadata.xml ({error})", error=error), where=where) from error
    found = [(element.text or "").strip() for element in root.iterfind("versioning/versions/version")]
    return [version for version in found[:_MAX_VERSIONS] if version]


def _add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name)
    element.text = text
    return element

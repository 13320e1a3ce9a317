# SPDX-License-Identifier: Apache-2.0
"""Small artifacts of Maven, as a repository has them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

#: Content by path.
Files = dict[str, bytes]


def dependency(
    group: str, artifact: str, version: str = "", *, kind: str = "", scope: str = "", classifier: str = "",
    optional: bool = False, exclusions: Sequence[tuple[str, str]] = (),
) -> str:  # fmt: skip
    """An element of ``dependencies``."""
    parts = {"groupId": group, "artifactId": artifact, "version": version, "type": kind, "scope": scope}
    parts |= {"classifier": classifier, "optional": "true" if optional else ""}
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in parts.items() if value)
    excluded = "".join(
        f"<exclusion><groupId>{group}</groupId><artifactId>{name}</artifactId></exclusion>"
        for group, name in exclusions
    )
    return f"<dependency>{inner}{f'<exclusions>{excluded}</exclusions>' if excluded else ''}</dependency>"


def pom(
    group: str, artifact: str, version: str, *, packaging: str = "jar", parent: tuple[str, str, str] | None = None,
    properties: Mapping[str, str] | None = None, dependencies: Sequence[str] = (), managed: Sequence[str] = (),
    moved: tuple[str, str, str] | None = None,
) -> str:  # fmt: skip
    """A pom; an empty group or version is the parent's. ``moved`` is where the artifact is now."""
    text = '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    if parent:
        text += f"<parent>{_coordinates(*parent)}</parent>"
    text += f"{_coordinates(group, artifact, version)}<packaging>{packaging}</packaging>"
    values = "".join(f"<{name}>{value}</{name}>" for name, value in (properties or {}).items())
    text += f"<properties>{values}</properties>"
    if moved:
        text += f"<distributionManagement><relocation>{_coordinates(*moved)}</relocation></distributionManagement>"
    if managed:
        text += f"<dependencyManagement><dependencies>{''.join(managed)}</dependencies></dependencyManagement>"
    return f"{text}<dependencies>{''.join(dependencies)}</dependencies></project>\n"


def artifact(
    group: str, name: str, version: str, packaging: str = "jar", *, parent: tuple[str, str, str] | None = None,
    properties: Mapping[str, str] | None = None, dependencies: Sequence[str] = (), managed: Sequence[str] = (),
) -> Files:  # fmt: skip
    """The pom of an artifact, and its jar unless it is only a pom."""
    own = pom(
        group, name, version, packaging=packaging, parent=parent, properties=properties, dependencies=dependencies,
        managed=managed,
    )  # fmt: skip
    base = f"{group.replace('.', '/')}/{name}/{version}/{name}-{version}"
    return {f"{base}.pom": own.encode()} | ({} if packaging == "pom" else {f"{base}.jar": _jar(f"{name} {version}")})


def _coordinates(group: str, artifact: str, version: str) -> str:
    parts = {"groupId": group, "artifactId": artifact, "version": version}
    return "".join(f"<{name}>{value}</{name}>" for name, value in parts.items() if value)


def _jar(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("content.txt"), text)
    return buffer.getvalue()

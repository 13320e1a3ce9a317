# SPDX-License-Identifier: Apache-2.0
"""maven2: coordinates, and an extension for each of several files; or a PUT of the path. Nexus makes checksums and
``maven-metadata.xml`` itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.doubles.nexus.formats import FileFormat, Refused, Upload
from tests.doubles.registry import Answer

if TYPE_CHECKING:
    from tests.doubles.nexus.content import Content

_COMPONENT = ("groupId", "artifactId", "version", "packaging*", "generate-pom*")


def _path(upload: Upload) -> str:
    values = upload.values
    group, artifact, version = (values[name] for name in ("groupId", "artifactId", "version"))
    if version.endswith("-SNAPSHOT"):
        raise Refused("Upload to snapshot repositories not supported, use the maven client.")
    classifier = f"-{values['classifier']}" if values.get("classifier") else ""
    return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}{classifier}.{values['extension']}"


def _index(content: Content, inner: str, base: str) -> Answer | None:
    """A checksum, or the list of versions."""
    path, _, kind = inner.rpartition(".")
    if kind in ("sha1", "md5"):
        data = content.files.get(path) or _metadata(content, path)
        return Answer(200, hashlib.new(kind, data).hexdigest().encode()) if data else None
    data = _metadata(content, inner)
    return Answer(200, data, {"Content-Type": "application/xml"}) if data else None


def _metadata(content: Content, inner: str) -> bytes:
    folder, _, name = inner.rpartition("/")
    versions = sorted(
        {path.split("/")[-2] for path in content.files if path.rpartition("/")[0].rpartition("/")[0] == folder}
    )
    if name != "maven-metadata.xml" or not versions:
        return b""
    group, _, artifact = folder.rpartition("/")
    listed = "".join(f"<version>{version}</version>" for version in versions)
    return (
        f"<metadata><groupId>{group.replace('/', '.')}</groupId><artifactId>{artifact}</artifactId>"
        f"<versioning><release>{versions[-1]}</release><versions>{listed}</versions></versioning></metadata>"
    ).encode()


FORMAT = FileFormat(
    "maven2", _path, multiple=True, component=_COMPONENT, asset=("extension", "classifier*"), puts=True, index=_index
)

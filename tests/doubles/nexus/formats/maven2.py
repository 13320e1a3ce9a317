# SPDX-License-Identifier: Apache-2.0
"""maven2: coordinates, and an extension for each of several files; or a PUT of the path."""

from __future__ import annotations

from tests.doubles.nexus.formats import FileFormat, Refused, Upload

_COMPONENT = ("groupId", "artifactId", "version", "packaging*", "generate-pom*")


def _path(upload: Upload) -> str:
    values = upload.values
    group, artifact, version = (values[name] for name in ("groupId", "artifactId", "version"))
    if version.endswith("-SNAPSHOT"):
        raise Refused("Upload to snapshot repositories not supported, use the maven client.")
    classifier = f"-{values['classifier']}" if values.get("classifier") else ""
    return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}{classifier}.{values['extension']}"


FORMAT = FileFormat("maven2", _path, multiple=True, component=_COMPONENT, asset=("extension", "classifier*"), puts=True)

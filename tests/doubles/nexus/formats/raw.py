# SPDX-License-Identifier: Apache-2.0
"""raw: ``directory`` and a name for each of several files; or a PUT of any path."""

from __future__ import annotations

from tests.doubles.nexus.formats import FileFormat, Upload


def _path(upload: Upload) -> str:
    directory = upload.values.get("directory", "").strip("/")
    return f"{directory}/{upload.values['filename']}".lstrip("/")


FORMAT = FileFormat("raw", _path, multiple=True, component=("directory",), asset=("filename",), puts=True)

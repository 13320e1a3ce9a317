# SPDX-License-Identifier: Apache-2.0
"""yum: a directory that may be left out, and a name."""

from __future__ import annotations

from tests.doubles.nexus.formats import FileFormat, Upload


def _path(upload: Upload) -> str:
    directory = upload.values.get("directory", "").strip("/")
    return f"{directory}/{upload.values['filename']}".lstrip("/")


FORMAT = FileFormat("yum", _path, component=("directory*",), asset=("filename",), puts=True)

# SPDX-License-Identifier: Apache-2.0
"""apt: one .deb a request, which goes into the pool by its own name (users' scripts: POST of the .deb as body)."""

from __future__ import annotations

from tests.doubles.nexus.formats import FileFormat, Refused, Upload


def _path(upload: Upload) -> str:
    if not upload.sent.endswith(".deb") or upload.sent.count("_") != 2:
        raise Refused("Not a Debian package")
    name = upload.sent.partition("_")[0]
    return f"pool/{name[0]}/{name}/{upload.sent}"


FORMAT = FileFormat("apt", _path)

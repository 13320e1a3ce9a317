# SPDX-License-Identifier: Apache-2.0
"""Finds Secret objects in resource files, since export carries these files in the bundle."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airgap import kube

#: ``kind: Secret`` on a line of its own or inside braces, but not in a comment.
_SECRET = re.compile(
    rb"""^(?![ \t]*\#)(?:.*[{,])?[ \t-]*["']?kind["']?[ \t]*:[ \t]*["']?Secret(?:List)?["']?(?=[ \t,}\r\n]|\Z)""",
    re.MULTILINE,
)


def secret_locations(files: Iterable[kube.ResourceFile]) -> list[str]:
    """Return ``file:line`` of every Secret in ``files``."""
    locations = []
    for file in files:
        for match in _SECRET.finditer(file.content):
            line = file.content.count(b"\n", 0, match.start()) + 1
            locations.append(f"{file.path}:{line}")
    return locations

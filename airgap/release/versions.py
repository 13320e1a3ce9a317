# SPDX-License-Identifier: Apache-2.0
"""The order of versions: numbers count as numbers, and what follows a hyphen comes before the version without it.

So 1.9 < 1.10-rc.1 < 1.10-rc.2 < 1.10 < 1.10.1, and 2026-10 < 2026-11. A ``v`` in front does not count, nor does what
follows a plus sign, as in Semantic Versioning (https://semver.org, 11).
"""

from __future__ import annotations

import re

_PARTS = re.compile(r"[0-9]+|[^0-9._-]+")
#: A part of a version: whether it is a number, the number, and the text of one that is none.
_Part = tuple[bool, int, str]
VersionKey = tuple[tuple[_Part, ...], bool, tuple[_Part, ...], str]


def version_key(version: str) -> VersionKey:
    """Return what versions are sorted by. Different versions never have equal keys."""
    counted = version.removeprefix("v").partition("+")[0]
    numbers, hyphen, pre_release = counted.partition("-")
    return _parts(numbers), not hyphen, _parts(pre_release), version


def _parts(text: str) -> tuple[_Part, ...]:
    return tuple(
        (True, int(part), "") if part[0] in "0123456789" else (False, 0, part) for part in _PARTS.findall(text)
    )

# SPDX-License-Identifier: Apache-2.0
"""Ranges of versions (maven.apache.org, "POM Reference", "Dependency Version Requirement Specification")."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airgap.artifacts.formats.maven.versions import version_key
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import Record

_INTERVAL = re.compile(r"([\[(])([^\[\](),]{0,100})(?:(,)([^\[\](),]{0,100}))?([\])])\s*(?:,\s*|$)")


class Interval(Record):
    """From ``lower`` to ``upper``, where an empty one is no bound, with or without the bounds themselves."""

    lower: str
    upper: str
    with_lower: bool
    with_upper: bool

    def contains(self, version: str) -> bool:
        """Whether a version is in it."""
        key, lower, upper = version_key(version), version_key(self.lower), version_key(self.upper)
        above = not self.lower or key > lower or (self.with_lower and key == lower)
        below = not self.upper or key < upper or (self.with_upper and key == upper)
        return above and below


class VersionRange(Record):
    """``[1.0,2.0)``, or several with commas between them; a version in any of them will do."""

    intervals: tuple[Interval, ...]

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Parse a range. Raises :class:`ContentError`."""
        intervals, position, text = [], 0, text.strip()
        while position < len(text):
            match = _INTERVAL.match(text, position)
            if match is None or (not match[3] and (match[1] + match[5] != "[]" or not match[2].strip())):
                raise ContentError(tr("{text!r} is no range of versions", text=text[:100]))
            lower = match[2].strip()
            upper = (match[4] or "").strip() if match[3] else lower
            intervals.append(Interval(lower, upper, match[1] == "[", match[5] == "]"))
            position = match.end()
        return cls(tuple(intervals))

    def contains(self, version: str) -> bool:
        """Whether a version is in it."""
        return any(interval.contains(version) for interval in self.intervals)

    def highest(self, versions: Iterable[str]) -> str:
        """Return the highest version in it, as Maven takes it, or an empty text. Snapshots are not taken."""
        fitting = [own for own in versions if not own.endswith("-SNAPSHOT") and self.contains(own)]
        return max(fitting, key=version_key, default="")


def is_range(version: str) -> bool:
    """Whether a version is written as a range."""
    return version.startswith(("[", "("))

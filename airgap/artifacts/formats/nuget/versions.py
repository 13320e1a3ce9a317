# SPDX-License-Identifier: Apache-2.0
"""Versions of NuGet packages and ranges of them (NuGet's "Package versioning": SemVer 2.0.0 with a fourth number)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import total_ordering

from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import Record

_VERSION = re.compile(
    r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)


@total_ordering
class Version(Record):
    """``numbers`` are always four; ``labels`` are those of a prerelease in lower case. What follows a plus is gone."""

    numbers: tuple[int, int, int, int]
    labels: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse a version. Raises :class:`ContentError`."""
        match = _VERSION.fullmatch(text.strip())
        if match is None or len(text) > 200:
            raise ContentError(tr("{text!r} is no version of a NuGet package", text=text[:100]))
        first, second, third, fourth = (int(number or 0) for number in match.groups()[:4])
        return cls((first, second, third, fourth), tuple((match[5] or "").lower().split(".")) if match[5] else ())

    @property
    def _order(self) -> tuple[object, ...]:
        """A release comes after its prereleases, a number before a word."""
        labels = tuple((0, int(label), "") if label.isdecimal() else (1, 0, label) for label in self.labels)
        return (self.numbers, not self.labels, labels)

    def __lt__(self, other: Version) -> bool:
        return self._order < other._order

    def __str__(self) -> str:
        """The normalised form in lower case, which stands in addresses: three numbers, a fourth only if it is not 0."""
        numbers = self.numbers if self.numbers[3] else self.numbers[:3]
        return ".".join(map(str, numbers)) + (f"-{'.'.join(self.labels)}" if self.labels else "")


class VersionRange(Record):
    """The versions between two bounds, either of which may be missing."""

    least: Version | None = None
    most: Version | None = None
    with_least: bool = True
    with_most: bool = True

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Parse ``1.0`` (that or higher), ``[1.0]``, ``[1.0,2.0)``, ``(,2.0]`` or an empty text (any).

        Raises :class:`ContentError`, also for floating versions (``1.*``), which packages cannot have.
        """
        text = text.strip()
        if not text:
            return cls()
        if text[0] not in "[(":
            return cls(Version.parse(text))
        bounds = [part.strip() for part in text[1:-1].split(",")]
        if text[-1] not in "])" or len(bounds) > 2 or not any(bounds):
            raise ContentError(tr("{text!r} is no range of versions", text=text[:100]))
        least, most = (Version.parse(bound) if bound else None for bound in (bounds[0], bounds[-1]))
        return cls(least, most, text[0] == "[", text[-1] == "]")

    def holds(self, version: Version) -> bool:
        """Whether a version is in the range."""
        if self.least is not None and (version < self.least or (version == self.least and not self.with_least)):
            return False
        return self.most is None or version < self.most or (version == self.most and self.with_most)

    def lowest(self, versions: Iterable[Version]) -> Version | None:
        """Return the version that NuGet takes: the lowest one. Prereleases count only if a bound is one."""
        with_prereleases = any(bound is not None and bound.labels for bound in (self.least, self.most))
        return min((v for v in versions if self.holds(v) and (with_prereleases or not v.labels)), default=None)

# SPDX-License-Identifier: Apache-2.0
"""Target frameworks, and which group of dependencies a framework takes (NuGet's "Target frameworks")."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from airgap.records import Record

T = TypeVar("T")

_NET, _CORE, _STANDARD, _FRAMEWORK = "net", "netcoreapp", "netstandard", ".netframework"
_LONG = {".netcoreapp": _CORE, ".netstandard": _STANDARD, ".netframework": _FRAMEWORK}
#: The highest .NET Standard that a version implements: .NET Core by its number, .NET Framework likewise.
_CORE_STANDARDS = (((3, 0), (2, 1)), ((2, 0), (2, 0)), ((1, 0), (1, 6)))
_FRAMEWORK_STANDARDS = (
    ((4, 6, 1), (2, 0)), ((4, 6), (1, 3)), ((4, 5, 1), (1, 2)), ((4, 5), (1, 1)),
)  # fmt: skip


class Framework(Record):
    """A framework: ``kind`` with a version, and a platform such as ``windows``, which may be empty."""

    kind: str
    version: tuple[int, ...]
    platform: str = ""

    @classmethod
    def parse(cls, text: str) -> Framework | None:
        """Parse ``net8.0-windows``, ``netstandard2.0``, ``net472``, ``.NETStandard2.0`` or
        ``.NETFramework,Version=v4.7.2``.

        ``None`` is a framework that this module does not know, such as a portable profile.
        """
        text = text.strip().lower().replace(" ", "")
        if match := re.fullmatch(r"(\.[a-z]+)(?:,version=v)?(\d+(?:\.\d+)*)", text):
            kind = _LONG.get(match[1], "")
            return cls._of(kind, _numbers(match[2]), "") if kind else None
        if match := re.fullmatch(r"(netstandard|netcoreapp)(\d+(?:\.\d+)*)", text):
            return cls._of(match[1], _numbers(match[2]), "")
        if match := re.fullmatch(r"net(\d+\.\d+)(?:-([a-z]+)[\d.]*)?", text):
            return cls._of(_NET, _numbers(match[1]), match[2] or "")
        if match := re.fullmatch(r"net(\d{2,3})", text):
            return cls._of(_FRAMEWORK, tuple(int(digit) for digit in match[1]), "")
        return None

    @classmethod
    def _of(cls, kind: str, version: tuple[int, ...], platform: str) -> Framework:
        """``.NETCoreApp5.0`` is ``net5.0``, and ``net4.7`` is .NET Framework."""
        if kind in (_CORE, _NET):
            kind = _NET if version >= (5,) else _CORE if kind == _CORE else _FRAMEWORK
        return cls(kind, version, platform)

    def rank(self, other: Framework) -> tuple[int, tuple[int, ...], bool] | None:
        """Return how near ``other`` is, the highest is the nearest; ``None`` if a project for this framework cannot use
        what is made for ``other``."""
        if other.platform and other.platform != self.platform:
            return None
        own = {_NET: (_NET, _CORE), _CORE: (_CORE,), _STANDARD: (_STANDARD,), _FRAMEWORK: (_FRAMEWORK,)}[self.kind]
        if other.kind in own:
            return (
                (2 - own.index(other.kind), other.version, bool(other.platform))
                if (other.kind != self.kind or other.version <= self.version)
                else None
            )
        if other.kind == _STANDARD and other.version <= self._standard():
            return (0, other.version, False)
        return None

    def _standard(self) -> tuple[int, ...]:
        if self.kind == _NET:
            return (2, 1)
        table = {_CORE: _CORE_STANDARDS, _FRAMEWORK: _FRAMEWORK_STANDARDS}.get(self.kind, ())
        return next((standard for least, standard in table if self.version >= least), ())


def nearest(framework: Framework, groups: Iterable[tuple[str, T]]) -> T | None:
    """Return the group of the nearest framework, or that of any framework; ``None`` if there is none.

    A group is the text of its framework, empty for any, and what it holds.
    """
    best: tuple[tuple[int, tuple[int, ...], bool], T] | None = None
    fallback: T | None = None
    for text, held in groups:
        other = Framework.parse(text)
        if not text or text.strip().lower() in ("any", "agnostic"):
            fallback = held
        elif other is not None and (rank := framework.rank(other)) is not None and (best is None or rank > best[0]):
            best = (rank, held)
    return best[1] if best is not None else fallback


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a version without zeros at the end, so that 2.0 and 2 are equal."""
    numbers = [int(number) for number in text.split(".")[:4]]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)

# SPDX-License-Identifier: Apache-2.0
"""The rules of ``airgap.yaml``: places to take and images to ignore, in the words of the built-in rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from airgap.errors import UsageError
from airgap.kube.detect.rule import compile_path
from airgap.oci import Reference
from airgap.records import Record, field

#: A key as a whole, so that there is only one way to divide a path.
_KEY = r"[^.\[\]{}\s]+(?![^.\[\]{}\s])"
_PATH = re.compile(
    rf"(?:\[\]|\[\*\]|\['[^']*'\]|\{{[^{{}}]+\}}|{_KEY})(?:\.?(?:\[\]|\['[^']*'\]|\{{[^{{}}]+\}}|{_KEY}))*"
)


class Take(Record):
    """Take what stands at ``path`` of an object; ``kind`` (``Kind`` or ``apiVersion/Kind``) and ``name`` are patterns,
    empty for any. Raises UsageError for a path that cannot be read."""

    path: str
    why: str
    kind: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise UsageError(
                f"{self.path!r} is no path of a rule",
                hint="keys joined by dots, [] for an item of a list, ** for any keys: spec.workers[].image",
            )

    def last(self) -> str:
        """The key whose values are asked for, ``*`` where any may be; ``args[]`` for the items of that list."""
        if items := re.search(r"(?:^|[.\]}])([^.\[\]{}*]+)\[\]$", self.path):
            return f"{items[1]}[]"
        found = re.search(r"(?:^|[.\]}])([^.\[\]{}*]+)$|\['([^']*)'\]$", self.path)
        return (found[1] or found[2]) if found else "*"

    def fits(self, api: str, kind: str, name: str, path: str) -> bool:
        one = f"{api}/{kind}" if "/" in self.kind else kind
        return (
            (not self.kind or fnmatchcase(one, self.kind))
            and (not self.name or fnmatchcase(name, self.name))
            and compile_path(self.path).fullmatch(path) is not None
        )


class Ignore(Record):
    """Ignore images by a pattern over the normalised reference, or over its name without tag and digest."""

    image: str
    why: str

    def fits(self, reference: Reference) -> bool:
        return fnmatchcase(str(reference), self.image) or fnmatchcase(reference.name, self.image)


class Custom(Record):
    take: Sequence[Take] = ()
    ignore: Sequence[Ignore] = ()
    asked: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked", frozenset(rule.last() for rule in self.take))

    def taken(self, api: str, kind: str, name: str, path: str) -> str | None:
        """Why this place is taken, or ``None``."""
        return next((rule.why for rule in self.take if rule.fits(api, kind, name, path)), None)

    def ignored(self, reference: Reference) -> str | None:
        """Why this image is ignored, or ``None``."""
        return next((rule.why for rule in self.ignore if rule.fits(reference)), None)


NONE = Custom()

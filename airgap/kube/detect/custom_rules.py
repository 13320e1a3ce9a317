# SPDX-License-Identifier: Apache-2.0
"""The rules of ``airgap.yaml``: places whose values are images, and images to ignore."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.kube.detect.rule import compile_path
from airgap.oci import Reference
from airgap.records import Record, field

#: A whole key: the lookahead leaves only one way to divide a path, so that matching takes linear time.
_KEY = r"[^.\[\]{}\s]+(?![^.\[\]{}\s])"
_PATH = re.compile(
    rf"(?:\[\]|\[\*\]|\['[^']*'\]|\{{[^{{}}]+\}}|{_KEY})(?:\.?(?:\[\]|\['[^']*'\]|\{{[^{{}}]+\}}|{_KEY}))*"
)


class TakeRule(Record):
    """Take the value at ``path`` of an object as an image.

    ``kind`` (``Kind`` or ``apiVersion/Kind``) and ``name`` are patterns, empty for any. Raises UsageError for a path
    that is not valid.
    """

    path: str
    why: str
    kind: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise UsageError(
                tr("{path!r} is no path of a rule", path=self.path),
                hint=tr("keys joined by dots, [] for an item of a list, ** for any keys: spec.workers[].image"),
            )

    def last_key(self) -> str:
        """Return the last key of the path, ``*`` if it may be any key, or ``args[]`` for the items of a list."""
        if items := re.search(r"(?:^|[.\]}])([^.\[\]{}*]+)\[\]$", self.path):
            return f"{items[1]}[]"
        key = re.search(r"(?:^|[.\]}])([^.\[\]{}*]+)$|\['([^']*)'\]$", self.path)
        return (key[1] or key[2]) if key else "*"

    def fits(self, api: str, kind: str, name: str, path: str) -> bool:
        """Return whether the value at ``path`` of that object is taken."""
        object_type = f"{api}/{kind}" if "/" in self.kind else kind
        return (
            (not self.kind or fnmatchcase(object_type, self.kind))
            and (not self.name or fnmatchcase(name, self.name))
            and compile_path(self.path).fullmatch(path) is not None
        )


class IgnoreRule(Record):
    """Ignore images that match ``image``, a pattern for the normalised reference or for its name alone."""

    image: str
    why: str

    def fits(self, reference: Reference) -> bool:
        """Return whether ``reference`` is ignored."""
        return fnmatchcase(str(reference), self.image) or fnmatchcase(reference.name, self.image)


class CustomRules(Record):
    """All rules of airgap.yaml. ``requested_keys`` are the last keys of the ``take`` rules."""

    take: Sequence[TakeRule] = ()
    ignore: Sequence[IgnoreRule] = ()
    requested_keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "requested_keys", frozenset(rule.last_key() for rule in self.take))

    def take_reason(self, api: str, kind: str, name: str, path: str) -> str | None:
        """Return why this place is taken, or ``None``."""
        return next((rule.why for rule in self.take if rule.fits(api, kind, name, path)), None)

    def ignore_reason(self, reference: Reference) -> str | None:
        """Return why this image is ignored, or ``None``."""
        return next((rule.why for rule in self.ignore if rule.fits(reference)), None)


NO_CUSTOM_RULES = CustomRules()

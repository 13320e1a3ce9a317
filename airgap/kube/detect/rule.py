# SPDX-License-Identifier: Apache-2.0
"""What a rule is, and how its patterns fit: over the nearest object's type, the path below it, and the last key."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache

from airgap.kube.detect import keys
from airgap.records import Record

#: ``objects`` of a rule for YAML without apiVersion and kind.
LOOSE = ("",)
#: ``objects`` of a rule for every object, but those of ``UNTYPED``.
ANY = ("*",)
#: ``objects`` of a rule for every object and outside of them.
EVERYWHERE = ("*", "")
#: ``objects`` of a rule for every object and outside of them, but for schemas, which only describe places.
BUT_SCHEMAS = ("*", "", "!")
#: Objects whose data are text or schemas, not fields: an ``image`` key there means something else.
UNTYPED = ("v1/ConfigMap", "v1/Secret", "apiextensions.k8s.io/*/CustomResourceDefinition")
#: Objects whose data are the settings of programs, each under a name of its choice.
DATA = ("v1/ConfigMap", "v1/Secret")
SCHEMA = ("apiextensions.k8s.io/*/CustomResourceDefinition",)

#: Shapes: "name" is whatever parses as a reference; "tagged" has a tag or digest, or a path; "complete" has a
#: registry's address and a tag or digest.
NAME, TAGGED, COMPLETE = "name", "tagged", "complete"


class Rule(Record):
    """``name`` narrows an option's or variable's name; ``key`` is what the last key must be, ``exact`` for the plain
    word alone; ``split`` joins what stands under the keys beside it."""

    id: str
    kind: str
    confidence: str
    path: str
    why: str
    objects: tuple[str, ...] = ANY
    shape: str = NAME
    name: str = ""
    key: str = ""
    exact: bool = False
    split: bool = False

    def fits(self, api: str, kind: str, path: str) -> bool:
        """Whether ``path`` below an object of that type is this rule's place; both are empty outside of objects."""
        return object_fits(self.objects, api, kind) and place_fits(self.path, path)

    def keyed(self, key: str | int) -> bool:
        """Whether the last key is what this rule wants it to be."""
        if not self.key:
            return True
        if not isinstance(key, str):
            return False
        found = keys.read(key)
        return found.what == self.key and (found.exact or not self.exact)

    def named(self, name: str) -> bool:
        """Whether an option or variable is called as this rule wants it."""
        return re.fullmatch(self.name, name) is not None


@lru_cache(maxsize=4096)
def object_fits(patterns: tuple[str, ...], api: str, kind: str) -> bool:
    if patterns == EVERYWHERE:
        return True
    if patterns == BUT_SCHEMAS:
        return not object_fits(SCHEMA, api, kind)
    if not kind:
        return patterns == LOOSE
    if patterns == ANY:
        return not any(fnmatchcase(f"{api}/{kind}", one) for one in UNTYPED)
    return any(fnmatchcase(f"{api}/{kind}", one) for one in patterns)


@lru_cache(maxsize=2048)
def place_fits(pattern: str, path: str) -> bool:
    """Whether ``path`` is one of ``pattern``; remembered, since objects of one type repeat their paths."""
    return compile_path(pattern).fullmatch(path) is not None


@lru_cache(maxsize=256)
def compile_path(pattern: str) -> re.Pattern[str]:
    """``**.spec.{a,b}[].image`` as a regular expression over paths with ``[]`` for indexes.

    What stands between two ``**`` is taken where it first fits and never looked for again, so that the time does not
    grow with the number of ``**``.
    """
    gaps, chunks = [""], [""]
    for piece in re.split(r"(\*\*\.?|\*|\{[^{}]*\})", pattern):
        if piece in ("**.", "**"):
            gaps.append(piece)
            chunks.append("")
        elif piece == "*":
            chunks[-1] += r"[^.\[\]]+"
        elif piece.startswith("{"):
            chunks[-1] += "(?:" + "|".join(re.escape(name) for name in piece[1:-1].split(",")) + ")"
        else:
            chunks[-1] += re.escape(piece)
    text = chunks[0]
    for index in range(1, len(chunks) - 1):
        gap = r"(?:.*?[.\]])??" if gaps[index] == "**." else ".*?"
        text += f"(?=(?P<_{index}>{gap}{chunks[index]}))(?P=_{index})"
    if len(chunks) > 1:
        text += (r"(?:.*[.\]])?" if gaps[-1] == "**." else ".*") + chunks[-1]
    return re.compile(text, re.DOTALL)

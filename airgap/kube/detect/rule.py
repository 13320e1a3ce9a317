# SPDX-License-Identifier: Apache-2.0
"""Rules and their patterns for the type of the nearest object, the path below it, and the last key."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache

from airgap.kube.detect import keys
from airgap.records import Record

#: ``objects`` of a rule for YAML without apiVersion and kind.
LOOSE = ("",)
#: ``objects`` of a rule for every object except those of ``UNTYPED``.
ANY = ("*",)
#: ``objects`` of a rule for every object and for YAML outside of objects.
EVERYWHERE = ("*", "")
#: Like ``EVERYWHERE``, except schemas, which only describe fields.
BUT_SCHEMAS = ("*", "", "!")
#: Objects that hold text or schemas instead of fields: a key ``image`` has another meaning there.
UNTYPED = ("v1/ConfigMap", "v1/Secret", "apiextensions.k8s.io/*/CustomResourceDefinition")
#: Objects that hold the settings of programs, under names that their authors choose.
DATA = ("v1/ConfigMap", "v1/Secret")
SCHEMA = ("apiextensions.k8s.io/*/CustomResourceDefinition",)

#: Shapes: "name" is whatever parses as a reference; "tagged" has a tag or digest, or a path; "complete" has a
#: registry's address and a tag or digest.
NAME, QUALIFIED, COMPLETE = "name", "tagged", "complete"


class Rule(Record):
    """A place whose values are images.

    ``name`` is a pattern for the name of an option or variable. ``key`` is the role of the last key, ``exact`` requires
    the role's word alone. ``split`` joins the value with the neighbours that hold the other parts of its reference.
    """

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
        """Return whether the rule is for ``path`` below an object of that type; both are empty outside of objects."""
        return object_matches(self.objects, api, kind) and path_matches(self.path, path)

    def matches_key(self, key: str | int) -> bool:
        """Return whether the last key has the role that the rule requires."""
        if not self.key:
            return True
        if not isinstance(key, str):
            return False
        meaning = keys.classify(key)
        return meaning.role == self.key and (meaning.exact or not self.exact)

    def matches_name(self, name: str) -> bool:
        """Return whether the rule is for options or variables of this name."""
        return re.fullmatch(self.name, name) is not None


@lru_cache(maxsize=4096)
def object_matches(patterns: tuple[str, ...], api: str, kind: str) -> bool:
    """Return whether an object's type is one of ``patterns``; ``api`` and ``kind`` are empty outside of objects."""
    if patterns == EVERYWHERE:
        return True
    if patterns == BUT_SCHEMAS:
        return not object_matches(SCHEMA, api, kind)
    if not kind:
        return patterns == LOOSE
    if patterns == ANY:
        return not any(fnmatchcase(f"{api}/{kind}", pattern) for pattern in UNTYPED)
    return any(fnmatchcase(f"{api}/{kind}", pattern) for pattern in patterns)


@lru_cache(maxsize=2048)
def path_matches(pattern: str, path: str) -> bool:
    """Return whether ``path`` matches ``pattern``. Cached, because objects of one type repeat their paths."""
    return compile_path(pattern).fullmatch(path) is not None


@lru_cache(maxsize=256)
def compile_path(pattern: str) -> re.Pattern[str]:
    """Compile a pattern such as ``**.spec.{a,b}[].image`` into a regular expression for paths with ``[]`` for indexes.

    A chunk between two ``**`` matches at its first occurrence only (a lookahead with a back reference does not
    backtrack), so that the time does not grow with the number of ``**``.
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

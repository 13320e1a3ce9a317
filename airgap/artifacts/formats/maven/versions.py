# SPDX-License-Identifier: Apache-2.0
"""The order of Maven's versions ("Version Order Specification"), as far as lists of versions need it."""

from __future__ import annotations

import re

#: Qualifiers below a release, in their order; others come behind it, in the order of their letters.
_BEFORE = {"alpha": -6, "a": -6, "beta": -5, "b": -5, "milestone": -4, "m": -4, "rc": -3, "cr": -3, "snapshot": -2}
_RELEASE = frozenset({"final", "ga", "release"})
_END = (-1, 0, "")

VersionKey = tuple[tuple[int, int, str], ...]


def version_key(version: str) -> VersionKey:
    """Return what versions are ordered by: ``1.0-rc1`` before ``1.0`` before ``1.0.1``, and ``1.0`` equals ``1``."""
    items: list[tuple[int, int, str]] = []
    for part in re.findall(r"\d+|[a-z]+", version.lower()):
        if part.isdecimal():
            items.append((1, int(part), ""))
            continue
        _strip_zeros(items)
        if part in _BEFORE:
            items.append((_BEFORE[part], 0, ""))
        elif part not in _RELEASE:
            items.append((0, 0, part))
    _strip_zeros(items)
    return (*items, _END)


def _strip_zeros(items: list[tuple[int, int, str]]) -> None:
    while items and items[-1] == (1, 0, ""):
        items.pop()

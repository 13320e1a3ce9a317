# SPDX-License-Identifier: Apache-2.0
"""Names of packages and their files, and the order of versions (Semantic Versioning 2.0.0, 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airgap.artifacts.artifact import path_problem

#: A name may have a scope. Old names have capital letters, and more characters than npm allows today.
_NAME = re.compile(r"(?:@[^\s/@]+/)?[^\s/@]+")
_VERSION = re.compile(r"[=v]*(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")

VersionKey = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def is_name(text: str) -> bool:
    """Whether ``text`` can be the name of a package: ``name`` or ``@scope/name``."""
    return bool(_NAME.fullmatch(text)) and path_problem(text, parts=True) is None


def file_name(name: str, version: str) -> str:
    """Return the name of a package's file in a registry, which is without the scope."""
    return f"{name.rpartition('/')[2]}-{version}.tgz"


def file_path(name: str, version: str) -> str:
    """Return the path of a package's file below a registry's address."""
    return f"{name}/-/{file_name(name, version)}"


def scope_of(name: str) -> str:
    """Return ``@scope``, or an empty string."""
    return name.partition("/")[0] if name.startswith("@") else ""


def version_key(version: str) -> VersionKey | None:
    """Return what versions are ordered by, or ``None`` for what is no version."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    before = tuple(
        (not part.isdecimal(), int(part) if part.isdecimal() else 0, part)
        for part in (match[4].split(".") if match[4] else ())
    )
    return int(match[1]), int(match[2]), int(match[3]), not before, before


def latest(versions: Iterable[str]) -> str:
    """Return the highest version, a pre-release only if there is nothing else; empty without any version."""
    keyed = [(key[3], key, version) for version in versions if (key := version_key(version))]
    return max(keyed)[2] if keyed else ""

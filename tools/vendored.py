# SPDX-License-Identifier: Apache-2.0
"""What Debian has no package of, out of this environment: for the portable folder and the Debian package."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

#: Distributions in pure Python.
VENDORED = ("py-minisign",)


def version_of(name: str) -> str:
    """The version of a distribution that is installed here."""
    return metadata.version(name)


def modules_of(name: str) -> dict[str, bytes]:
    """The modules of a distribution by their paths."""
    files = metadata.distribution(name).files or []
    found = {str(path): Path(str(path.locate())).read_bytes() for path in files if path.suffix == ".py"}
    if not found:
        raise SystemExit(f"{name} has no modules here: run make setup")
    return found


def licence_of(name: str) -> bytes:
    """The text of a distribution's licence."""
    files = metadata.distribution(name).files or []
    return next(Path(str(path.locate())).read_bytes() for path in files if path.name.upper().startswith("LICEN"))

# SPDX-License-Identifier: Apache-2.0
"""A new dependency must come into the portable folder and the Debian package, which only long tests build."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from tools.portable.folder import DEPENDENCIES
from tools.vendored import VENDORED

ROOT = Path(__file__).resolve().parents[2]
#: Debian's names, where they are not python3-NAME.
DEBIAN = {"pyyaml": "python3-yaml"}


def required() -> set[str]:
    """What pyproject.toml requires, and what vendored distributions require."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    # What only older interpreters need is in none of the two: Debian 13 has Python 3.13.
    lines = [line for line in block[1].splitlines() if "python_version <" not in line]
    names = {found for line in lines for found in re.findall(r'^ *"([A-Za-z0-9._-]+)', line)}
    for name in names & set(VENDORED):
        names |= {re.split(r"[^A-Za-z0-9._-]", one)[0] for one in metadata.requires(name) or []}
    return names


def test_every_dependency_is_in_both() -> None:
    depends = re.findall(r"^ (python3-[a-z0-9.-]+)", (ROOT / "debian/control").read_text(), re.MULTILINE)
    for name in required() - set(VENDORED):
        package = DEBIAN.get(name, f"python3-{name.lower()}")
        assert package in DEPENDENCIES, f"{name} is not in the portable folder"
        assert package in depends, f"{name} is not in debian/control"

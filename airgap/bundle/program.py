# SPDX-License-Identifier: Apache-2.0
"""This program as a member of a bundle, for a far side without it: ``airgap.pyz``, or a portable folder's archive."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from airgap.records import Record

PYZ_MEMBER = "airgap/airgap.pyz"
_PORTABLE_MEMBERS = ("airgap/airgap-portable-", ".tar.gz")


class Program(Record):
    """``member`` is its name in the bundle."""

    member: str
    content: bytes


def program_to_carry(what: str) -> Program:
    """Return what ``export --with-self=WHAT`` carries: ``pyz``, ``portable``, or a portable folder's archive by path.

    Raises :class:`airgap.errors.UsageError` where there is none.
    """
    from airgap.bundle import portable
    from airgap.bundle.zipapp import build_zipapp

    if what == "pyz":
        return Program(PYZ_MEMBER, build_zipapp())
    archive = portable.running_archive() if what == "portable" else portable.read_archive(Path(what))
    return Program(f"airgap/airgap-portable-linux-{archive.architecture}.tar.gz", archive.content)


def program_members(names: Iterable[str]) -> list[str]:
    """Return those of the members' ``names`` under which a bundle holds this program."""
    start, end = _PORTABLE_MEMBERS
    return [name for name in names if name == PYZ_MEMBER or (name.startswith(start) and name.endswith(end))]

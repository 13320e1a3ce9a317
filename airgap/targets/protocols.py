# SPDX-License-Identifier: Apache-2.0
"""What every target can do, whatever the product behind it."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from airgap.oci import Reference
from airgap.records import Record
from airgap.store.protocols import Store
from airgap.targets.mapping import Mapping


class Finding(Record):
    """One thing that a look at the target showed. A ``problem`` stops the push.

    ``hint`` is the remedy in words and ``run`` the lines to type or to write; ``check`` names what was looked at;
    ``fix`` names the change of :mod:`airgap.targets.doctor.fixes` that mends it, where one does."""

    level: Literal["ok", "warning", "problem"]
    what: str
    hint: str = ""
    check: str = ""
    run: tuple[str, ...] = ()
    fix: str = ""


class Target(Protocol):
    """A registry address with a prefix, and the product behind it. ``mapping`` is that of the names which nodes pull:
    where pushing goes another way than pulling, it is not the one that was asked for."""

    mapping: Mapping

    def preflight(self) -> list[Finding]:
        """Look before anything is pushed; signs in exactly once."""

    def locate(self, reference: Reference, /) -> Reference:
        """What the image will be called, as nodes will pull it."""

    def open(self, repository: str, /) -> Store: ...

    def repositories(self) -> list[str]:
        """What lies under its prefix, as nodes name it after the registry; raises what the registry's refusal is."""


@runtime_checkable
class Bounded(Protocol):
    """A target that knows how much more it may hold."""

    def room(self, tags: int, /) -> list[Finding]:
        """What speaks against ``tags`` new tags."""


@runtime_checkable
class Tried(Protocol):
    """A target at which only a try shows whether it takes what is pushed."""

    def begin(self) -> list[Finding]:
        """What speaks against uploads, by one that is begun and called off: to be asked only before uploads follow."""

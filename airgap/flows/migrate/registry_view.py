# SPDX-License-Identifier: Apache-2.0
"""One of the two registries: names are those below its prefix, so that they mean the same image on both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from airgap.errors import NotFound
from airgap.oci import Descriptor
from airgap.oci.manifest import Manifest
from airgap.records import Record, field
from airgap.store.protocols import Store
from airgap.targets import TargetAddress


@runtime_checkable
class Listed(Store, Protocol):
    """A repository as a registry has it."""

    def tags(self) -> list[str]: ...
    def manifest(self, name: str, /) -> Manifest: ...
    def indexed_referrers(self, digest: str, /) -> Sequence[Descriptor] | None: ...


@dataclass(slots=True)
class Tag:
    """One tag of the source. ``digest`` is what it stands for there, as far as that is known yet; ``dated_by`` says
    where ``date`` is from: ``lastModified`` of Nexus or ``created`` of the image."""

    repository: str
    name: str
    digest: str = ""
    media_type: str = ""
    date: datetime | None = None
    dated_by: str = ""
    #: What it stands for at the target, where that was asked and there is such a tag.
    there: str = ""

    def __str__(self) -> str:
        return f"{self.repository}:{self.name}"


class Side(Record, frozen=False, eq=False):
    """``open_`` gives a repository by its whole name, ``list_`` all whole names that the registry lists."""

    address: TargetAddress
    open_: Callable[[str], Listed]
    list_: Callable[[], Sequence[str]]
    #: Whether it answers the referrers API; ``None`` until somebody asked.
    indexes_referrers: bool | None = None
    _opened: dict[str, Listed] = field(default_factory=dict)

    def whole(self, name: str) -> str:
        return f"{self.address.prefix}/{name}" if self.address.prefix else name

    def below(self, whole: str) -> str:
        """The name below the prefix; empty for what is not below it."""
        prefix = f"{self.address.prefix}/" if self.address.prefix else ""
        return whole[len(prefix) :] if whole.startswith(prefix) else ""

    def label(self, name: str, tag: str = "") -> str:
        """As people write it."""
        return f"{self.address.registry}/{self.whole(name)}" + (f":{tag}" if tag else "")

    def repository(self, name: str) -> Listed:
        if name not in self._opened:
            self._opened[name] = self.open_(self.whole(name))
        return self._opened[name]

    def catalog(self) -> list[str]:
        """Names below the prefix. Raises what the registry's refusal is."""
        return [name for name in map(self.below, self.list_()) if name]

    def digest(self, name: str, tag: str) -> str:
        """What a tag stands for: one HEAD, and a GET where only that finds it (old servers). Empty for no such tag."""
        repository = self.repository(name)
        try:
            return repository.resolve(tag).digest
        except NotFound:
            try:
                return repository.manifest(tag).descriptor.digest
            except NotFound:
                return ""

    def referrers(self, name: str, digest: str) -> list[str]:
        """What the registry indexes as referring to ``digest``. Those that it lists under a tag are tags to us."""
        if self.indexes_referrers is False:
            return []
        found = self.repository(name).indexed_referrers(digest)
        if found is None:
            self.indexes_referrers = False
            return []
        self.indexes_referrers = True
        return [descriptor.digest for descriptor in found]

# SPDX-License-Identifier: Apache-2.0
"""One of the two registries of a migration, seen below a prefix.

Repository names are relative to the prefix, so that one name means the same image at the source and at the target.
"""

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
class ListableRepository(Store, Protocol):
    """A repository of a registry that lists its tags and referrers."""

    def tags(self) -> list[str]:
        """All tags."""

    def manifest(self, name: str, /) -> Manifest:
        """The manifest behind a tag or digest, verified."""

    def indexed_referrers(self, digest: str, /) -> Sequence[Descriptor] | None:
        """What the referrers API lists for ``digest``; ``None`` if the registry does not have that API."""


@dataclass(slots=True, eq=False)
class Tag:
    """One tag of the source.

    ``digest`` is that of its manifest at the source, empty until it is known. ``date_source`` says where ``date`` comes
    from: ``lastModified`` (Nexus), ``created`` (the image's config) or nothing. ``target_digest`` is the digest that
    the tag has at the target; empty if it is missing there or has not been asked for.
    """

    repository: str
    name: str
    digest: str = ""
    media_type: str = ""
    date: datetime | None = None
    date_source: str = ""
    target_digest: str = ""

    def __str__(self) -> str:
        return f"{self.repository}:{self.name}"


class RegistryView(Record, frozen=False, eq=False):
    """A registry below the prefix of ``address``.

    ``open_repository`` opens a repository by its full name; ``list_names`` returns the full names of all repositories.
    ``hosted_repositories`` are those of Nexus with whose names the full names begin; none if they do not.
    """

    address: TargetAddress
    open_repository: Callable[[str], ListableRepository]
    list_names: Callable[[], Sequence[str]]
    hosted_repositories: Sequence[str] = ()
    #: Whether the registry has the referrers API; ``None`` before the first request.
    has_referrers_api: bool | None = None
    _repositories: dict[str, ListableRepository] = field(default_factory=dict)

    def full_name(self, name: str) -> str:
        """The repository's name in the registry, with the prefix."""
        return f"{self.address.prefix}/{name}" if self.address.prefix else name

    def relative_name(self, full_name: str) -> str:
        """The repository's name below the prefix; empty if it is not below the prefix."""
        prefix = f"{self.address.prefix}/" if self.address.prefix else ""
        return full_name[len(prefix) :] if full_name.startswith(prefix) else ""

    def label(self, name: str, tag: str = "") -> str:
        """The reference for messages: registry, full name and tag."""
        return self.address.place_of(self.full_name(name)) + (f":{tag}" if tag else "")

    def tag_label(self, tag: Tag) -> str:
        """The reference of a tag for messages."""
        return self.label(tag.repository, tag.name)

    def repository(self, name: str) -> ListableRepository:
        """The repository with this relative name, opened once."""
        if name not in self._repositories:
            self._repositories[name] = self.open_repository(self.full_name(name))
        return self._repositories[name]

    def repository_names(self) -> list[str]:
        """The relative names of all repositories below the prefix. Raises the registry's error if it lists none."""
        return [name for name in map(self.relative_name, self.list_names()) if name]

    def resolve(self, tag: Tag) -> str:
        """The digest of a tag in this registry; empty if there is no such tag.

        Sends one HEAD, and a GET if that finds nothing: old servers answer only the latter.
        """
        repository = self.repository(tag.repository)
        try:
            return repository.resolve(tag.name).digest
        except NotFound:
            try:
                return repository.manifest(tag.name).descriptor.digest
            except NotFound:
                return ""

    def referrers(self, name: str, digest: str) -> list[str]:
        """Digests of the manifests that the referrers API lists for ``digest``; none if the registry has no such API.

        Referrers that are listed under a tag (distribution-spec "Referrers Tag Schema") are migrated as tags.
        """
        if self.has_referrers_api is False:
            return []
        descriptors = self.repository(name).indexed_referrers(digest)
        if descriptors is None:
            self.has_referrers_api = False
            return []
        self.has_referrers_api = True
        return [descriptor.digest for descriptor in descriptors]

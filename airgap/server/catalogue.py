# SPDX-License-Identifier: Apache-2.0
"""What the names of a store say, prepared for requests: made once for each version of the names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from airgap.oci import Descriptor
from airgap.records import Record
from airgap.server.naming import split_name

#: What the remembered links of all manifests may cost: about 130 bytes each.
_MAX_COST = 200_000


class Catalogue:
    """Repositories with their tags and digests. ``reachable`` is filled by :class:`Repositories`."""

    def __init__(self, names: Mapping[str, Descriptor]) -> None:
        self.names = names
        self.repositories: dict[str, dict[str, Descriptor]] = {}
        self.by_digest: dict[str, list[tuple[str, str]]] = {}
        for name, descriptor in names.items():
            repository, identifier = split_name(name)
            if repository:
                self.repositories.setdefault(repository, {})[identifier] = descriptor
                self.by_digest.setdefault(descriptor.digest, []).append((repository, identifier))
        self.reachable: dict[str, Mapping[str, Descriptor]] = {}
        self._tags: dict[tuple[str, ...], list[str]] = {}

    def tags(self, repositories: tuple[str, ...]) -> list[str] | None:
        """Return the sorted tags of some repositories together, or ``None`` if none of them exists."""
        known = tuple(repository for repository in repositories if repository in self.repositories)
        if not known:
            return None
        if known not in self._tags:
            identifiers = {identifier for repository in known for identifier in self.repositories[repository]}
            self._tags[known] = sorted(identifier for identifier in identifiers if ":" not in identifier)
        return self._tags[known]


class ManifestLinks(Record):
    """The remembered part of a manifest: what it refers to. ``referrer`` is its entry in a list of referrers."""

    children: tuple[Descriptor, ...] = ()
    blobs: frozenset[str] = frozenset()
    subject: str = ""
    referrer: Descriptor | None = None

    @property
    def cost(self) -> int:
        """How much memory it takes, in units of about 130 bytes."""
        annotations = self.referrer.annotations if self.referrer else {}
        text = sum(len(key) + len(value) for key, value in annotations.items())
        return 4 + 6 * len(self.children) + len(self.blobs) + (8 if self.referrer else 0) + text // 130


class LinksCache:
    """Links by digest. Those that were used longest ago are forgotten first. For several threads."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, ManifestLinks] = OrderedDict()
        self._cost = 0

    def get(self, digest: str) -> ManifestLinks | None:
        """Return what is remembered of a manifest."""
        return self._links.get(digest)

    def put(self, digest: str, links: ManifestLinks) -> None:
        """Remember the links of a manifest, unless they alone are too many."""
        if links.cost > _MAX_COST // 4:
            return
        if self._links.setdefault(digest, links) is links:
            self._cost += links.cost
        while self._cost > _MAX_COST:
            self._cost -= self._links.popitem(last=False)[1].cost

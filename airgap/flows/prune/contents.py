# SPDX-License-Identifier: Apache-2.0
"""The contents of a repository of the target: its tags, the manifests that they lead to, and the blobs of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airgap.oci.manifest import Manifest
from airgap.records import Record, field


class Links(Record):
    """What a manifest leads to: the digests of ``children``, and ``blobs`` with their sizes. ``size`` is its own."""

    children: tuple[str, ...]
    blobs: Mapping[str, int] = field(repr=False)
    size: int

    @classmethod
    def of(cls, manifest: Manifest) -> Links:
        """Return the links of a manifest."""
        children = tuple(child.digest for child in manifest.children)
        return cls(children, {blob.digest: blob.size for blob in manifest.blobs}, manifest.descriptor.size)


class RepositoryContents(Record, frozen=False):
    """``tags`` are digests by tag, ``untagged`` those that were asked for and that no tag leads to, and ``manifests``
    all that they lead to. ``problem`` is the error of a tag that cannot be read, with the tag: then nothing is known of
    what it needs."""

    tags: dict[str, str] = field(default_factory=dict)
    untagged: set[str] = field(default_factory=set)
    manifests: dict[str, Links] = field(default_factory=dict)
    problem: str = ""

    def closure(self, digests: Iterable[str]) -> set[str]:
        """Return the digests of the manifests that these lead to, themselves included, of those that are there."""
        queue, found = list(digests), set()
        while queue:
            digest = queue.pop()
            if digest in self.manifests and digest not in found:
                found.add(digest)
                queue.extend(self.manifests[digest].children)
        return found

# SPDX-License-Identifier: Apache-2.0
"""What must stay: releases, bundles, their documents, receipts and locks, and images that resource files name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airgap.bundle import Document, Inventory, Lockfile, Receipt
from airgap.oci import Reference
from airgap.records import Record, field, replace
from airgap.targets import Mapping as TargetMapping


class Kept(Record, frozen=False):
    """``sources`` are normalised references of kept images, ``tags`` repository and tag at the target, and ``digests``
    what is kept in a repository without a tag. ``all_digests`` are those of all documents, and ``locked`` the sources
    of locks, whose digests are others once platforms were selected. ``artifacts`` are identities and ``addresses``
    their places.

    ``requires`` are layers that kept differential bundles build on, each with the name of a bundle.
    """

    sources: set[str] = field(default_factory=set)
    tags: set[tuple[str, str]] = field(default_factory=set)
    digests: dict[str, set[str]] = field(default_factory=dict)
    all_digests: set[str] = field(default_factory=set)
    locked: set[str] = field(default_factory=set)
    artifacts: set[tuple[str, str, str, str]] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    requires: dict[str, str] = field(default_factory=dict)

    def keeps(self, repository: str, tag: str, sources: Iterable[str]) -> bool:
        """Whether a tag is kept, by its name or by a reference that it came from."""
        return (repository, tag) in self.tags or any(source in self.sources for source in sources)

    def keeps_digest(self, digest: str, sources: Iterable[str]) -> bool:
        """Whether an image without a tag is kept, which came from these references."""
        return digest in self.all_digests or any(source in self.locked for source in sources)

    def add_reference(self, reference: Reference, mapping: TargetMapping | None, digest: str = "") -> None:
        """Keep an image by its reference, and by its name at the target."""
        self.sources.add(str(reference))
        self.all_digests |= {digest, reference.digest} - {""}
        if mapping is None:
            return
        target = mapping.locate(reference)
        if target.registry != mapping.address.registry:
            return
        if target.tag:
            self.tags.add((target.repository, target.tag))
        for known in {digest, target.digest} - {""}:
            self.digests.setdefault(target.repository, set()).add(known)
            self.tags.add((target.repository, replace(target, digest=known).digest_tag))


def kept_at(documents: Iterable[Document], images: Iterable[Reference], mapping: TargetMapping | None) -> Kept:
    """Return what the documents keep at the target of ``mapping``, and ``images`` that resource files name."""
    kept = Kept()
    for document in documents:
        content = document.content
        if isinstance(content, Receipt):
            _add_receipt(kept, content, mapping)
            continue
        kept.artifacts.update(artifact.identity for artifact in content.artifacts)
        for reference, digest in _references(content):
            kept.add_reference(reference, mapping, digest)
            if isinstance(content, Lockfile):
                kept.locked.add(str(reference))
        if isinstance(content, Inventory):
            kept.requires |= {layer.digest: document.path for layer in content.requires}
    for reference in images:
        kept.add_reference(reference, mapping)
    return kept


def _references(content: Inventory | Lockfile) -> Iterator[tuple[Reference, str]]:
    if isinstance(content, Lockfile):
        yield from ((Reference.parse(name), image.digest) for name, image in content.images.items())
    else:
        yield from ((image.reference, image.descriptor.digest) for image in content.images)


def _add_receipt(kept: Kept, receipt: Receipt, mapping: TargetMapping | None) -> None:
    for image in receipt.images:
        target = Reference.parse(image.target)
        if mapping is None or target.registry != mapping.address.registry:
            # The receipt of another site: its images are kept here by the references that they came from.
            if image.source:
                kept.add_reference(Reference.parse(image.source), mapping, image.digest)
            continue
        if image.source:
            kept.sources.add(image.source)
        kept.tags.add((target.repository, target.tag))
        kept.digests.setdefault(target.repository, set()).add(image.digest)
        kept.all_digests.add(image.digest)
    kept.artifacts.update(artifact.identity for artifact in receipt.artifacts)
    kept.addresses.update(artifact.target for artifact in receipt.artifacts)

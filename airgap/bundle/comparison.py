# SPDX-License-Identifier: Apache-2.0
"""Compares two documents: which images, artifacts and bytes NEW adds to OLD, removes from it, changes and keeps.

Bytes are those of configs and layers, each digest counted once. For an image in NEW they are *added* if OLD has the
blob nowhere, and *kept* if OLD has it anywhere. For an image in OLD they are *removed* if NEW has the blob nowhere. So
the sum of the added bytes is what a differential bundle would carry. A lockfile names no blobs and a receipt no sizes:
a number that follows from neither document is ``None``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airgap.bundle.artifact_comparison import (
    ArtifactComparison,
    ArtifactFiles,
    Status,
    artifact_files,
    compare_artifacts,
    counts_of,
)
from airgap.bundle.documents import Document
from airgap.bundle.inventory import Inventory
from airgap.bundle.lockfile import Lockfile
from airgap.bundle.receipt import Receipt
from airgap.oci.manifest import is_manifest_type
from airgap.records import Record, field


class ByteCounts(Record):
    """Numbers of bytes; ``None`` if the documents do not tell."""

    added: int | None
    removed: int | None
    kept: int | None

    def to_json(self) -> dict[str, int | None]:
        """Return the object ``bytes`` of the output."""
        return {"added": self.added, "removed": self.removed, "kept": self.kept}


class ImageComparison(Record):
    """One image in OLD, NEW or both.

    ``old`` and ``new`` are its digests, empty where the document does not have the image. Its platforms are empty where
    the document does not name them.
    """

    reference: str
    status: Status
    old: str
    new: str
    bytes: ByteCounts
    old_platforms: tuple[str, ...] = ()
    new_platforms: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``images`` in the output."""
        return {
            "reference": self.reference,
            "change": self.status,
            "old": self.old or None,
            "new": self.new or None,
            "bytes": self.bytes.to_json(),
        }


class Comparison(Record):
    """All images of both documents, sorted by reference, and the bytes of all of them together, with the artifacts."""

    images: tuple[ImageComparison, ...]
    bytes: ByteCounts
    artifacts: tuple[ArtifactComparison, ...] = ()

    def count(self, status: Status) -> int:
        """Return how many images have this status."""
        return sum(image.status == status for image in self.images)

    def to_json(self) -> dict[str, Any]:
        """Return the output of ``airgap diff --json``."""
        counts = {status: self.count(status) for status in ("added", "removed", "changed", "kept")}
        document = {
            "images": [image.to_json() for image in self.images],
            "counts": counts,
            "bytes": self.bytes.to_json(),
        }
        if not self.artifacts:
            return document
        listed = [artifact.to_json() for artifact in self.artifacts]
        return {**document, "artifacts": listed, "artifact_counts": counts_of(self.artifacts)}


class DocumentContents(Record, frozen=False):
    """What a document says about images and blobs.

    ``images`` maps names to digests. ``blobs_of`` maps an image's digest to its configs and layers. ``blobs`` are all
    configs and layers, ``None`` if the document does not name them. ``sizes`` are in bytes. ``target`` is the receipt's
    target if the images' names are those at the target, otherwise empty. ``platforms`` are those of an image's digest.
    """

    images: dict[str, str]
    blobs_of: dict[str, frozenset[str]] = field(default_factory=dict)
    blobs: frozenset[str] | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    target: str = ""
    artifacts: ArtifactFiles = field(default_factory=dict)
    platforms: dict[str, tuple[str, ...]] = field(default_factory=dict)


def contents_of(document: Document) -> DocumentContents:
    """Return the images and blobs of a document.

    The names are source references, except in a receipt of ``airgap inventory``, which knows only target names.
    """
    result = _contents_of(document.content)
    result.artifacts = artifact_files(document.content)
    return result


def _contents_of(content: Inventory | Receipt | Lockfile) -> DocumentContents:
    if isinstance(content, Inventory):
        return _contents_of_bundle(content)
    if isinstance(content, Receipt):
        only_targets = not all(image.source for image in content.images)
        images = {(image.target if only_targets else image.source): image.digest for image in content.images}
        blobs = frozenset({*content.blobs, *(artifact.digest for artifact in content.artifacts)})
        return DocumentContents(images, blobs=blobs, target=content.target if only_targets else "")
    return DocumentContents({name: descriptor.digest for name, descriptor in content.images.items()})


def compare(old: DocumentContents, new: DocumentContents) -> Comparison:
    """Compare two documents whose images have the same kind of names."""
    sizes = {**old.sizes, **new.sizes}
    images = []
    for name in sorted({*old.images, *new.images}):
        old_digest, new_digest = old.images.get(name, ""), new.images.get(name, "")
        added, removed, kept = _compare_blobs(old, new, old_digest, new_digest, sizes)
        status = _image_status(old_digest, new_digest)
        count = ByteCounts(added, removed, kept)
        platforms = old.platforms.get(old_digest, ()), new.platforms.get(new_digest, ())
        images.append(ImageComparison(name, status, old_digest, new_digest, count, *platforms))
    added, kept = _split_bytes(new.blobs, old.blobs, sizes)
    removed, _ = _split_bytes(old.blobs, new.blobs, sizes)
    artifacts = compare_artifacts(old.artifacts, new.artifacts)
    return Comparison(tuple(images), ByteCounts(added, removed, kept), artifacts)


def _compare_blobs(
    old: DocumentContents, new: DocumentContents, old_digest: str, new_digest: str, sizes: Mapping[str, int]
) -> tuple[int | None, int | None, int | None]:
    """Return the added, removed and kept bytes of one image."""
    added, kept = _split_bytes(new.blobs_of.get(new_digest), old.blobs, sizes) if new_digest else (0, 0)
    if old_digest == new_digest:
        return 0, 0, kept
    removed, _ = _split_bytes(old.blobs_of.get(old_digest), new.blobs, sizes) if old_digest else (0, 0)
    return added, removed, kept


def _image_status(old_digest: str, new_digest: str) -> Status:
    if not old_digest or not new_digest:
        return "removed" if old_digest else "added"
    return "kept" if old_digest == new_digest else "changed"


def _split_bytes(
    blobs: Iterable[str] | None, other_blobs: frozenset[str] | None, sizes: Mapping[str, int]
) -> tuple[int | None, int | None]:
    """Return the size of the ``blobs`` that are not in ``other_blobs``, and of those that are."""
    if blobs is None or other_blobs is None:
        return None, None
    missing_sizes: list[int | None] = []
    common_sizes: list[int | None] = []
    for digest in blobs:
        (common_sizes if digest in other_blobs else missing_sizes).append(sizes.get(digest))
    return _sum_if_known(missing_sizes), _sum_if_known(common_sizes)


def _sum_if_known(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _contents_of_bundle(inventory: Inventory) -> DocumentContents:
    """Required layers count as the bundle's own: the target has them after its import."""
    blobs = [(blob.digest, blob.size, blob.media_type) for blob in inventory.blobs]
    blobs += [(required.digest, required.size, "") for required in inventory.requires]
    sizes = {digest: size for digest, size, media_type in blobs if not is_manifest_type(media_type)}
    blobs_of = {
        root: frozenset(blobs[index][0] for index in indexes) & sizes.keys() for root, indexes in inventory.uses.items()
    }
    images = {str(image.reference): image.descriptor.digest for image in inventory.images}
    platforms = {image.descriptor.digest: tuple(map(str, image.platforms)) for image in inventory.images}
    return DocumentContents(images, blobs_of, frozenset(sizes), sizes, platforms=platforms)

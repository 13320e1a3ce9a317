# SPDX-License-Identifier: Apache-2.0
"""``airgap diff``: what of NEW is not in OLD, by image and in bytes, whatever documents the two are.

Bytes are those of configs and layers, each digest once. Of an image in NEW they are *added* where OLD holds them
nowhere and *kept* where it holds them anywhere; of an image in OLD they are *removed* where NEW holds them nowhere. So
the sum of what is added is what a differential bundle would carry. A lock names no blobs and a receipt no sizes: what
follows from neither document is ``None``, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from airgap.bundle import Document, Inventory, Receipt
from airgap.oci import Reference
from airgap.oci.manifest import is_manifest_type
from airgap.records import Record, field
from airgap.targets import POLICIES, TargetAddress
from airgap.targets import Mapping as TargetMapping

Change = Literal["added", "removed", "changed", "kept"]


class Bytes(Record):
    """``None`` where the two documents do not tell."""

    added: int | None
    removed: int | None
    kept: int | None

    def to_json(self) -> dict[str, int | None]:
        return {"added": self.added, "removed": self.removed, "kept": self.kept}


class Line(Record):
    """One image: ``reference`` as NEW calls it, or OLD where NEW has none; a digest is empty where it is absent."""

    reference: str
    change: Change
    old: str
    new: str
    bytes: Bytes

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "change": self.change,
            "old": self.old or None,
            "new": self.new or None,
            "bytes": self.bytes.to_json(),
        }


class Difference(Record):
    """All images of both, in order of their names, and the bytes of all of them together."""

    lines: tuple[Line, ...]
    bytes: Bytes

    def count(self, change: Change) -> int:
        return sum(line.change == change for line in self.lines)

    def to_json(self) -> dict[str, Any]:
        counts = {change: self.count(change) for change in ("added", "removed", "changed", "kept")}
        return {"images": [line.to_json() for line in self.lines], "counts": counts, "bytes": self.bytes.to_json()}


class _Side(Record, frozen=False):
    """``images`` maps names to digests; ``parts`` an image's digest to its configs and layers; ``blobs`` is all that is
    held, ``None`` where that is not said; ``target`` is set where images are known by their target names alone."""

    images: dict[str, str]
    parts: dict[str, frozenset[str]] = field(default_factory=dict)
    blobs: frozenset[str] | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    target: str = ""


def diff(old: Document, new: Document) -> Difference:
    """Compare what was read by :func:`airgap.bundle.read_document`. An inventory knows no source references: where the
    other side knows only these, they are put in terms of the inventory's target by the mapping policy that finds most
    of them."""
    one, other = _side(old), _side(new)
    if bool(one.target) != bool(other.target):
        bare, named, document = (one, other, new) if one.target else (other, one, old)
        named.images = _in_terms_of(bare, named.images, document)
    sizes = {**one.sizes, **other.sizes}
    lines = []
    for name in sorted({*one.images, *other.images}):
        before, after = one.images.get(name, ""), other.images.get(name, "")
        added, kept = _split(other.parts.get(after), one.blobs, sizes) if after else (0, 0)
        removed = _split(one.parts.get(before), other.blobs, sizes)[0] if before else 0
        if before == after:
            added, removed = 0, 0
        lines.append(Line(name, _change(before, after), before, after, Bytes(added, removed, kept)))
    added, kept = _split(other.blobs, one.blobs, sizes)
    return Difference(tuple(lines), Bytes(added, _split(one.blobs, other.blobs, sizes)[0], kept))


def _change(before: str, after: str) -> Change:
    if not before or not after:
        return "removed" if before else "added"
    return "kept" if before == after else "changed"


def _split(
    mine: Iterable[str] | None, others: frozenset[str] | None, sizes: Mapping[str, int]
) -> tuple[int | None, int | None]:
    """The bytes of ``mine`` that ``others`` lack, and those that they have."""
    if mine is None or others is None:
        return None, None
    lacking: list[int | None] = []
    common: list[int | None] = []
    for digest in mine:
        (common if digest in others else lacking).append(sizes.get(digest))
    return _sum(lacking), _sum(common)


def _sum(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _side(document: Document) -> _Side:
    content = document.content
    if isinstance(content, Inventory):
        return _of_bundle(content)
    if isinstance(content, Receipt):
        bare = not all(image.source for image in content.images)
        names = {(image.target if bare else image.source): image.digest for image in content.images}
        return _Side(names, blobs=frozenset(content.blobs), target=content.target if bare else "")
    return _Side({name: descriptor.digest for name, descriptor in content.images.items()})


def _of_bundle(inventory: Inventory) -> _Side:
    everything = [*((blob.digest, blob.size, blob.media_type) for blob in inventory.blobs)]
    everything += [(required.digest, required.size, "") for required in inventory.requires]
    sizes = {digest: size for digest, size, kind in everything if not is_manifest_type(kind)}
    parts = {
        root: frozenset(everything[number][0] for number in numbers) & sizes.keys()
        for root, numbers in inventory.uses.items()
    }
    images = {str(image.reference): image.descriptor.digest for image in inventory.images}
    return _Side(images, parts, frozenset(sizes), sizes)


def _in_terms_of(bare: _Side, images: Mapping[str, str], document: Document) -> dict[str, str]:
    """``images`` under the names that they have, or would get, at the target of ``bare``."""
    if isinstance(document.content, Receipt):
        return {image.target: image.digest for image in document.content.images}
    address = TargetAddress.parse(bare.target)
    tried = [{_at(TargetMapping(address, policy), name): d for name, d in images.items()} for policy in POLICIES]
    return max(tried, key=lambda names: len(names.keys() & bare.images.keys()))


def _at(mapping: TargetMapping, name: str) -> str:
    reference = Reference.parse(name)
    return f"{mapping.locate(reference).name}:{reference.tag or reference.digest_tag}"

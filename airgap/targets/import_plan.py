# SPDX-License-Identifier: Apache-2.0
"""The images of a bundle with their places at a target, as import, verify and rewrite use them."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.bundle import BundleReader, Inventory
from airgap.errors import AirgapError, TargetError, raise_all
from airgap.events import ManifestDone, Sink, ignore
from airgap.i18n import tr
from airgap.store.protocols import Store
from airgap.targets.assignment import Assignment, assign
from airgap.targets.mapping import Mapping
from airgap.transfer import (
    Context,
    Destination,
    ExistingContent,
    Image,
    Plan,
    Root,
    find_existing_content,
    resolve_tags,
)

#: The name of the only source of an import.
BUNDLE = "bundle"


def assignments_of(inventory: Inventory, mapping: Mapping, *, emit: Sink = ignore) -> list[Assignment]:
    """Assign a place to every image of the inventory. Raises :class:`airgap.errors.TargetError` for collisions."""
    images = [(image.reference, image.descriptor.digest, image.derived_from) for image in inventory.images]
    return assign(images, mapping, emit=emit)


def roots_of(bundle: BundleReader, assignments: Sequence[Assignment]) -> list[Root]:
    """Return what must exist at the target: each image under its tag, and each of its referrers by digest."""
    roots = [Root(str(a.source), BUNDLE, a.digest, (Destination(a.repository, a.tag),)) for a in assignments]
    roots_by_digest = {root.name: root for root in roots}
    for referrer, subject in bundle.inventory.referrers.items():
        repositories = dict.fromkeys(a.repository for a in assignments if a.digest == subject)
        if not repositories and subject in roots_by_digest:
            # The subject is a referrer itself, such as a signature of a signature.
            repositories = dict.fromkeys(d.repository for d in roots_by_digest[subject].destinations)
        if repositories:
            root = Root(
                tr("referrer of {subject}", subject=subject), BUNDLE, referrer, tuple(map(Destination, repositories))
            )
            roots_by_digest.setdefault(referrer, root)
            roots.append(root)
    return roots


def missing_images(
    planned: Plan, stores: dict[str, Store], context: Context, *, overwrite: bool
) -> tuple[list[Image], int, ExistingContent]:
    """Return the images that the target lacks, how many it has, and which blobs it is known to have.

    Raises :class:`TargetError` for tags that have another digest, unless ``overwrite``.
    """
    tags = resolve_tags(planned, stores, context)
    missing, present = [], 0
    errors: list[AirgapError] = []
    for image in planned.images:
        destination = image.root.destinations[0]
        digest = tags.get(destination)
        if destination.tag and digest == image.digest:
            present += 1
            context.emit(ManifestDone(image.digest, destination.tag, "skipped"))
            continue
        if digest is not None and not overwrite:
            errors.append(
                TargetError(
                    tr(
                        "the tag is already there with {digest}, the bundle has {image_digest}",
                        digest=digest,
                        image_digest=image.digest,
                    ),
                    where=f"{stores[destination.repository]}:{destination.tag}",
                    hint=tr("--overwrite moves the tag to the bundle's image"),
                )
            )
        missing.append(image)
    raise_all(errors)
    existing = find_existing_content(planned, missing, tags, stores, context)
    # A signature or the like has no tag and is found by its digest only.
    missing = [image for image in missing if image.root.destinations[0].tag or not existing.has_image(image)]
    return missing, present, existing

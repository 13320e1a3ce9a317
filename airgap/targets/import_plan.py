# SPDX-License-Identifier: Apache-2.0
"""The images of a bundle with their places at a target, as import, verify and rewrite use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dictionary

from airgap.bundle import BundleReader, Inventory
from airgap.errors import AirgapError, TargetError, raise_all
from airgap.events import ManifestDone, Sink, ignore
from airgap.i18n import tr
from airgap.store.protocols import Store
from airgap.targets.assignment import Assignment, assign
from airgap.targets.mapping import Mapping
from airgap.targets.protocols import Finding
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
from airgap.transfer.existing import find_existing_children

#: The name of the only source of an import.
BUNDLE = "bundle"


def assignments_of(inventory: Inventory, mapping: Mapping, *, emit: Sink = ignore) -> list[Assignment]:
    """Assign a place to every image of the inventory. Raises :class:`airgap.errors.TargetError` for collisions."""
    images = [(image.reference, image.descriptor.digest, image.derived_from) for image in inventory.images]
    return assign(images, mapping, emit=emit)


def roots_of(bundle: BundleReader, assignments: Sequence[Assignment]) -> list[Root]:
    """Return what must exist at the target: each image under its tag, and each of its referrers by digest, or
    under the tag by which it is found."""
    roots = [Root(str(a.source), BUNDLE, a.digest, (Destination(a.repository, a.tag),)) for a in assignments]
    inventory = bundle.inventory
    if not inventory.referrers:
        return roots
    # By the digest of a manifest, which is an image or below an index: what refers to either goes where it goes.
    repositories: dict[str, dict[str, None]] = {}
    for assignment in assignments:
        for digest in (assignment.digest, *inventory.manifests_of(assignment.digest)):
            repositories.setdefault(digest, {})[assignment.repository] = None
    for referrer, subject in inventory.referrers.items():
        # The subject may be a referrer itself, such as a signature of a signature.
        if subject in repositories:
            repositories.setdefault(referrer, {}).update(repositories[subject])
            tag = inventory.referrer_tags.get(referrer, "")
            places = tuple(Destination(repository, tag) for repository in repositories[subject])
            roots.append(Root(tr("referrer of {subject}", subject=subject), BUNDLE, referrer, places, companion=True))
    return roots


def missing_images(
    planned: Plan,
    stores: dict[str, Store],
    context: Context,
    *,
    overwrite: bool,
    fixed_tag: Callable[[str], Finding | None] = lambda _: None,
    sparse: bool = False,
    overwrite_hint: str = "",
) -> tuple[list[Image], int, ExistingContent]:
    """Return the images that the target lacks, how many it has, and which blobs it is known to have.

    ``fixed_tag`` gives the problem of a tag that the target lets nobody move. A ``sparse`` target may have an index
    without its images. ``overwrite_hint`` says what moving tags means. Raises :class:`TargetError` for tags that have
    another digest, unless ``overwrite`` and they may be moved.
    """
    tags = resolve_tags(planned, stores, context)
    lacking = _lacking_indexes(planned, tags, stores, context) if sparse else set()
    missing, present = [], 0
    errors: list[AirgapError] = []
    for image in planned.images:
        destination = image.root.destinations[0]
        digest = tags.get(destination)
        if destination.tag and digest == image.digest and image.digest in lacking:
            missing.append(image)
            continue
        if destination.tag and digest == image.digest:
            present += not image.root.companion
            context.emit(ManifestDone(image.digest, destination.tag, "skipped"))
            continue
        fixed = fixed_tag(destination.tag) if digest is not None else None
        if fixed is not None:
            errors.append(
                TargetError(
                    tr(
                        "the tag is already there with {digest}, the bundle has {image_digest}, and {what}",
                        digest=digest,
                        image_digest=image.digest,
                        what=fixed.what,
                    ),
                    where=f"{stores[destination.repository]}:{destination.tag}",
                    hint=fixed.hint,
                )
            )
        elif digest is not None and not overwrite:
            errors.append(
                TargetError(
                    tr(
                        "the tag is already there with {digest}, the bundle has {image_digest}",
                        digest=digest,
                        image_digest=image.digest,
                    ),
                    where=f"{stores[destination.repository]}:{destination.tag}",
                    hint=overwrite_hint or tr("--overwrite moves the tag to the bundle's image"),
                )
            )
        elif digest is not None and not image.root.companion:
            place = f"{stores[destination.repository]}:{destination.tag}"
            context.note(tr("{place} moves from {old} to {new}", place=place, old=digest, new=image.digest))
        missing.append(image)
    raise_all(errors)
    existing = find_existing_content(planned, missing, tags, stores, context, sparse=sparse)
    # A signature or the like has no tag and is found by its digest only.
    missing = [image for image in missing if image.root.destinations[0].tag or not existing.has_image(image)]
    return missing, present, existing


def _lacking_indexes(
    planned: Plan, tags: Dictionary[Destination, str], stores: Dictionary[str, Store], context: Context
) -> set[str]:
    """Return the digests of indexes that have their tag and lack one of the images that the bundle has."""
    tagged = [image for image in planned.images if tags.get(image.root.destinations[0]) == image.digest]
    existing = ExistingContent()
    find_existing_children(planned, tagged, stores, existing, context)
    return {
        image.digest
        for image in tagged
        if not all(
            existing.has(place.repository, manifest.descriptor.digest)
            for place in image.root.destinations
            for manifest in planned.closure(image)
            if image.manifest.children and not manifest.children
        )
    }


def count_new_tags(images: Sequence[Image]) -> int:
    """How many tags an import of ``images`` adds at a registry without the referrers API: those of the images, and one
    for the list of each subject's referrers."""
    tags = {destination for image in images for destination in image.root.destinations if destination.tag}
    lists = {
        (destination.repository, image.manifest.subject.digest)
        for image in images
        if image.manifest.subject is not None
        for destination in image.root.destinations
    }
    return len(tags) + len(lists)

# SPDX-License-Identifier: Apache-2.0
"""Resolves the images that were found into a plan of blobs and manifests to copy."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airgap.bundle import Lockfile
from airgap.errors import AirgapError, UsageError, raise_all
from airgap.events import ImageFailed, Noted, Sink
from airgap.flows.images import FoundImages
from airgap.flows.steps.at_hand import find_at_hand, report_at_hand
from airgap.i18n import tr
from airgap.oci import Platform, Reference
from airgap.records import Record
from airgap.registry import Registries, Repository
from airgap.store.local.base import LocalImages
from airgap.store.protocols import Source
from airgap.transfer import Context, Destination, Plan, Root, plan

#: The name of an export's only destination.
BUNDLE = "bundle"


class ResolvedImages(Record):
    """The plan, and the source repository of each image by name.

    ``plan.failures`` are left to the caller. ``unresolved`` are guesses that no registry confirmed, sorted.
    """

    plan: Plan
    sources: dict[str, Source]
    unresolved: list[str]


def resolve_images(
    found_images: FoundImages,
    registries: Registries,
    context: Context,
    *,
    platforms: Sequence[Platform] = (),
    sparse: bool = False,
    referrers: bool = False,
    locked: Lockfile | None = None,
    named: Collection[str] = (),
    at_hand: Sequence[LocalImages] = (),
) -> ResolvedImages:
    """Ask the registries for all images that ``found_images`` names, or take their digests from ``locked``.

    An image that one of ``at_hand`` has is taken from there, from the first that has it, and no registry is asked.
    An image that is only a guess is asked for only if its registry is in ``named`` or a surer image has the same one.
    Raises :class:`UsageError` for images that ``locked`` lacks.
    """
    roots = _roots(found_images, locked, named, at_hand)
    local_sources: dict[str, Source] = {images.label: images for images in at_hand}
    sources = {root.source: local_sources.get(root.source) or _repository(registries, root) for root in roots}
    image_plan = plan(
        roots, sources, context,
        platforms=platforms, sparse=sparse, referrers=referrers, known_referrers=locked.referrers if locked else None,
        known_referrer_tags=locked.referrer_tags if locked else None,
    )  # fmt: skip
    report_at_hand(image_plan, at_hand, chosen=bool(platforms), emit=context.emit)
    return ResolvedImages(image_plan, sources, _drop_failed_guesses(image_plan, found_images, context.emit))


def failed_images(image_plan: Plan, emit: Sink, *, keep_going: bool) -> list[tuple[str, AirgapError]]:
    """Return the images that could not be planned, each with its error. Raises them unless ``keep_going``, and if there
    is nothing else."""
    if not keep_going or not image_plan.images:
        raise_all([error for _, error in image_plan.failures])
    failures = [(root.label, error) for root, error in image_plan.failures]
    for label, error in failures:
        emit(ImageFailed(label, str(error)))
    return failures


def _roots(
    found_images: FoundImages, locked: Lockfile | None, named: Collection[str], at_hand: Sequence[LocalImages]
) -> list[Root]:
    roots = []
    unlocked = []
    guesses = found_images.guesses()
    trusted_registries = {
        *named,
        *(reference.registry for reference in found_images.references() if reference not in guesses),
    }
    for reference in found_images.references():
        local_source, local_name = find_at_hand(reference, at_hand, locked)
        if reference in guesses and reference.registry not in trusted_registries and local_source is None:
            continue
        name = reference.identifier
        if locked is not None:
            descriptor = locked.images.get(str(reference))
            if descriptor is None and reference in guesses:
                continue
            if descriptor is None:
                unlocked.append(str(reference))
                continue
            name = descriptor.digest
        source_name = reference.name
        if local_source is not None:
            source_name, name = local_source.label, local_name
        roots.append(Root(str(reference), source_name, name, (Destination(BUNDLE),)))
    if unlocked:
        raise UsageError(
            tr("the lock does not know {unlocked}", unlocked=", ".join(unlocked)),
            hint=tr("--refresh resolves everything anew and rewrites the lock"),
        )
    return roots


def _repository(registries: Registries, root: Root) -> Repository:
    reference = Reference.parse(root.label)
    return registries.repository(reference.registry, reference.repository)


def _drop_failed_guesses(image_plan: Plan, found_images: FoundImages, emit: Sink) -> list[str]:
    """Remove guesses from the failures of the plan, and return all guesses that are not in it, with a note for each."""
    guesses = {str(reference) for reference in found_images.guesses()}
    refused = {root.label for root, _ in image_plan.failures} & guesses
    image_plan.failures = [(root, error) for root, error in image_plan.failures if root.label not in guesses]
    unresolved = sorted(guesses - {image.root.label for image in image_plan.images})
    for label in unresolved:
        why = (
            tr("its registry does not know it")
            if label in refused
            else tr("nothing else names its registry, so none was asked")
        )
        emit(Noted(tr("{label} looked like an image, but {why}; left out (--image takes it)", label=label, why=why)))
    return unresolved

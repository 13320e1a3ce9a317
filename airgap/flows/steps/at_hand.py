# SPDX-License-Identifier: Apache-2.0
"""Which images are taken from places at hand instead of a registry, and what the user must know about them."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.bundle import Lockfile
from airgap.events import Noted, Sink, Warned
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.store.local.base import LocalImages
from airgap.transfer import Plan

_SHOWN = 3


def find_at_hand(
    reference: Reference, at_hand: Sequence[LocalImages], locked: Lockfile | None
) -> tuple[LocalImages | None, str]:
    """Return the first place that has the image, and its name there; ``(None, "")`` if none has it.

    A locked image is the one with the lock's digest.
    """
    descriptor = locked.images.get(str(reference)) if locked is not None else None
    for images in at_hand:
        if name := images.find(reference, descriptor.digest if descriptor else ""):
            return images, name
    return None, ""


def report_at_hand(plan: Plan, at_hand: Sequence[LocalImages], *, chosen: bool, emit: Sink) -> None:
    """Emit how many images were taken from each place, and warnings about digests that are not the registry's.

    ``chosen`` says that the user chose the platforms.
    """
    for images in at_hand:
        place = images.label
        if images.incomplete:
            count, names = counted(len(images.incomplete), "image"), _shown(images.incomplete)
            emit(
                Warned(
                    tr(
                        "{place} has {count} without all layers, so their registries are asked: {names}",
                        place=place,
                        count=count,
                        names=names,
                    )
                )
            )
        taken = [image for image in plan.images if image.root.source == place]
        count, names = counted(len(taken), "image"), _shown([image.root.label for image in taken])
        if not taken:
            emit(Warned(tr("{place}: none of the images is there", place=place)))
            continue
        emit(Noted(tr("{count} from {place}", count=count, place=place)))
        if not images.keeps_digests:
            emit(
                Warned(
                    tr(
                        "{place} keeps no digests of {count}; their digests here are not the registry's, "
                        "and references by digest do not find them: {names}",
                        place=place,
                        count=count,
                        names=names,
                    )
                )
            )
        partial = [image for image in taken if image.derived_from]
        if partial and not chosen:
            count, names = counted(len(partial), "image"), _shown([image.root.label for image in partial])
            held = ", ".join(dict.fromkeys(str(platform) for image in partial for platform in image.platforms))
            emit(
                Warned(
                    tr(
                        "{place} holds {count} only for {held}; "
                        "the bundle has these under digests of their own: {names}",
                        place=place,
                        count=count,
                        held=held,
                        names=names,
                    )
                )
            )


def _shown(labels: Sequence[str]) -> str:
    more = tr(" and {number} more", number=len(labels) - _SHOWN) if len(labels) > _SHOWN else ""
    return ", ".join(labels[:_SHOWN]) + more

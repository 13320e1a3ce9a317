# SPDX-License-Identifier: Apache-2.0
"""Which images are taken from places at hand instead of a registry, and what the user must know about them."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.bundle import Lockfile
from airgap.events import Noted, Sink, Warned
from airgap.formatting import counted
from airgap.oci import Reference
from airgap.store.local.base import LocalImages
from airgap.transfer import Image, Plan

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
        taken = [image for image in plan.images if image.root.source == images.label]
        if not taken:
            emit(Warned(f"{images.label}: none of the images is there"))
            continue
        emit(Noted(f"{counted(len(taken), 'image')} from {images.label}"))
        if not images.keeps_digests:
            others = "their digests here are not the registry's, and references by digest do not find them"
            emit(
                Warned(f"{images.label} keeps no digests of {counted(len(taken), 'image')}; {others}: {_labels(taken)}")
            )
        partial = [image for image in taken if image.derived_from]
        if partial and not chosen:
            held = ", ".join(dict.fromkeys(str(platform) for image in partial for platform in image.platforms))
            which = f"{counted(len(partial), 'image')} only for {held}"
            emit(
                Warned(
                    f"{images.label} holds {which}; the bundle has these under digests of their own: {_labels(partial)}"
                )
            )


def _labels(images: Sequence[Image]) -> str:
    more = f" and {len(images) - _SHOWN} more" if len(images) > _SHOWN else ""
    return ", ".join(image.root.label for image in images[:_SHOWN]) + more

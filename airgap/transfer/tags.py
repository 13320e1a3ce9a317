# SPDX-License-Identifier: Apache-2.0
"""Tags at their destinations: what they point to before a copy, and whether they are right after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.errors import ContentError, NotFound
from airgap.i18n import tr
from airgap.store.protocols import Store
from airgap.transfer.context import Context
from airgap.transfer.graph import Destination, Image
from airgap.transfer.plan import Plan
from airgap.transfer.pool import parallel_map


def resolve_tags(plan: Plan, targets: Mapping[str, Store], context: Context | None = None) -> dict[Destination, str]:
    """The digest that each destination's tag has now, by one HEAD for each tag. Missing tags are left out."""
    context = context or Context()
    destinations = [
        destination
        for destination in dict.fromkeys(place for image in plan.images for place in image.root.destinations)
        if destination.tag
    ]

    def resolve(destination: Destination) -> str:
        try:
            return targets[destination.repository].resolve(destination.tag).digest
        except NotFound:
            return ""

    digests = parallel_map(destinations, resolve, workers=context.jobs.control, cancel=context.cancel)
    return {
        destination: digest
        for destination, digest in zip(destinations, digests, strict=True)
        if isinstance(digest, str) and digest
    }


def verify_tags(images: Sequence[Image], targets: Mapping[str, Store], context: Context | None = None) -> None:
    """Read every tag back and compare digests. Raises :class:`ContentError` for the first that differs."""
    context = context or Context()
    pushed = [(image, destination) for image in images for destination in image.root.destinations if destination.tag]

    def verify(item: tuple[Image, Destination]) -> None:
        image, destination = item
        digest = targets[destination.repository].resolve(destination.tag).digest
        if digest != image.digest:
            raise ContentError(
                tr(
                    "reads back as {digest}, though {image_digest} was pushed", digest=digest, image_digest=image.digest
                ),
                where=f"{targets[destination.repository]}:{destination.tag}",
                hint=tr("somebody else may be pushing the same tag"),
                again=True,
            )

    parallel_map(pushed, verify, workers=context.jobs.control, cancel=context.cancel)

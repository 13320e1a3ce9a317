# SPDX-License-Identifier: Apache-2.0
"""What tags stand for at their destinations: before a copy, and once it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.errors import ContentError, NotFound
from airgap.store.protocols import Store
from airgap.transfer.graph import Destination, Image
from airgap.transfer.plan import Plan
from airgap.transfer.pool import Stop, each


def survey(
    plan: Plan, targets: Mapping[str, Store], *, jobs: int = 4, stop: Stop | None = None
) -> dict[Destination, str]:
    """The digest that each destination's tag has now: one HEAD a tag. Absent tags are left out."""
    wanted = [d for d in dict.fromkeys(d for image in plan.images for d in image.root.destinations) if d.tag]

    def ask(destination: Destination) -> str:
        try:
            return targets[destination.repository].resolve(destination.tag).digest
        except NotFound:
            return ""

    digests = each(wanted, ask, jobs=jobs, stop=stop or Stop())
    return {d: digest for d, digest in zip(wanted, digests, strict=True) if isinstance(digest, str) and digest}


def confirm(images: Sequence[Image], targets: Mapping[str, Store], *, jobs: int = 4, stop: Stop | None = None) -> None:
    """Read every tag back and compare digests; raise :class:`ContentError` naming the first that differs."""
    wanted = [(image, d) for image in images for d in image.root.destinations if d.tag]

    def ask(item: tuple[Image, Destination]) -> None:
        image, destination = item
        found = targets[destination.repository].resolve(destination.tag).digest
        if found != image.digest:
            raise ContentError(
                f"reads back as {found}, though {image.digest} was pushed",
                where=f"{targets[destination.repository]}:{destination.tag}",
                hint="somebody else may be pushing the same tag; run the same command again",
            )

    each(wanted, ask, jobs=jobs, stop=stop or Stop())

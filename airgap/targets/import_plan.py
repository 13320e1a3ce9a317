# SPDX-License-Identifier: Apache-2.0
"""A bundle's images with their places on a target: what import, verify and rewrite have in common."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.bundle import BundleReader, Inventory
from airgap.events import Sink, ignore
from airgap.targets import Assignment, Mapping, assign
from airgap.transfer import Destination, Root

#: The name of the only source of an import.
BUNDLE = "bundle"


def assignments_of(inventory: Inventory, mapping: Mapping, *, emit: Sink = ignore) -> list[Assignment]:
    """Every image's place; raises :class:`airgap.errors.TargetError` for collisions."""
    images = [(image.reference, image.descriptor.digest, image.derived_from) for image in inventory.images]
    return assign(images, mapping, emit=emit)


def roots_of(bundle: BundleReader, assignments: Sequence[Assignment]) -> list[Root]:
    """What must be at the target: each image under its tag, and with it, by digest, what refers to it."""
    roots = [Root(str(a.source), BUNDLE, a.digest, (Destination(a.repository, a.tag),)) for a in assignments]
    places = {root.name: root for root in roots}
    for referrer, subject in bundle.inventory.referrers.items():
        repositories = dict.fromkeys(a.repository for a in assignments if a.digest == subject)
        if not repositories and subject in places:
            # A signature of a signature goes where that one goes.
            repositories = dict.fromkeys(d.repository for d in places[subject].destinations)
        if repositories:
            root = Root(f"referrer of {subject}", BUNDLE, referrer, tuple(map(Destination, repositories)))
            places.setdefault(referrer, root)
            roots.append(root)
    return roots

# SPDX-License-Identifier: Apache-2.0
"""The receipt of an import: what the far side now holds, for the next export to build on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airgap.bundle import BundleReader, HeldImage, Origin, Receipt
from airgap.copy import Plan
from airgap.target import Assignment, Mapping


def receipt_of(
    bundle: BundleReader,
    mapping: Mapping,
    assignments: Sequence[Assignment],
    planned: Plan,
    failed: Collection[str],
) -> bytes:
    """The JSON document; images whose labels are in ``failed`` are not in it, nor are blobs that only they need."""
    inventory = bundle.inventory
    images = [a for a in assignments if str(a.source) not in failed]
    held = planned.only([image for image in planned.images if image.root.label not in failed])
    return Receipt(
        str(mapping.address),
        bundle.id,
        tuple(HeldImage(str(a.source), f"{a.target.name}:{a.tag}", a.digest) for a in images),
        {digest: tuple(job.targets) for digest, job in held.blobs.items()},
        {r.digest: r.origin for r in inventory.requires if r.digest in held.blobs and r.origin},
        (*inventory.bases, *_itself(bundle)),
    ).to_bytes()


def _itself(bundle: BundleReader) -> list[Origin]:
    """How this bundle is called, if it is."""
    inventory = bundle.inventory
    return [Origin(bundle.id, inventory.name, inventory.version)] if inventory.name or inventory.version else []

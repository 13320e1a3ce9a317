# SPDX-License-Identifier: Apache-2.0
"""The receipt of an import: what the far side now holds, for the next export to build on."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from airgap.bundle import BundleReader
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
    images = [a for a in assignments if str(a.source) not in failed]
    held = planned.only([image for image in planned.images if image.root.label not in failed])
    document = {
        "format": 1,
        "target": str(mapping.address),
        "bundle": bundle.id,
        "images": [{"source": str(a.source), "target": f"{a.target.name}:{a.tag}", "digest": a.digest} for a in images],
        "blobs": {digest: sorted(job.targets) for digest, job in sorted(held.blobs.items())},
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

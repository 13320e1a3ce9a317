# SPDX-License-Identifier: Apache-2.0
"""What would cross, before anything is pulled: bytes by platform, shared blobs counted once."""

from __future__ import annotations

from airgap.oci.manifest import Manifest
from airgap.records import Record
from airgap.transfer import Plan


class Sizes(Record):
    """Bytes. ``platforms`` maps each platform to what a bundle for it alone would hold."""

    total: int
    platforms: dict[str, int]


def measure(plan: Plan) -> Sizes:
    """Count each digest once; images of a single platform count for every platform, since they would cross too."""
    needed: dict[str, dict[str, int]] = {}
    common: dict[str, int] = {}
    for image in plan.images:
        manifest = image.manifest
        if not manifest.is_index:
            platform = str(image.platforms[0]) if image.platforms else ""
            _count(manifest, needed.setdefault(platform, {}) if platform else common)
            continue
        for child in manifest.children:
            known = child.platform is not None and child.platform.is_known
            into = needed.setdefault(str(child.platform), {}) if known else {}
            if child.digest in plan.manifests:
                _count(plan.manifests[child.digest], into)
    platforms = {name: sum({**common, **blobs}.values()) for name, blobs in sorted(needed.items())}
    return Sizes(plan.blob_bytes + sum(len(m.content) for m in plan.manifests.values()), platforms)


def _count(manifest: Manifest, into: dict[str, int]) -> None:
    into[manifest.descriptor.digest] = len(manifest.content)
    into.update((blob.digest, blob.size) for blob in manifest.blobs)

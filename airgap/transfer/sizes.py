# SPDX-License-Identifier: Apache-2.0
"""How large a bundle of some images is, before anything is pulled: in all and by platform, each blob counted once."""

from __future__ import annotations

from airgap.formatting import human
from airgap.i18n import tr
from airgap.oci.manifest import Manifest
from airgap.records import Record
from airgap.transfer.plan import Plan


class Sizes(Record):
    """Bytes: of everything, and of what a bundle for each single platform would hold."""

    total: int
    platforms: dict[str, int]

    def saving(self) -> tuple[str, int] | None:
        """A platform, linux/amd64 if it is there, and how many bytes a bundle for it alone saves; ``None`` for none."""
        if len(self.platforms) < 2:
            return None
        name = "linux/amd64" if "linux/amd64" in self.platforms else next(iter(self.platforms))
        saved = self.total - self.platforms[name]
        return (name, saved) if saved > 0 else None

    def advice(self) -> str:
        """Return what one platform would save, as a message; empty if it would save nothing."""
        saving = self.saving()
        if saving is None:
            return ""
        return tr(
            "it holds {platform_count} platforms; --platform {platform} would save {saved}",
            platform_count=len(self.platforms),
            platform=saving[0],
            saved=human(saving[1]),
        )


def measure(plan: Plan) -> Sizes:
    """Sizes of a plan. Images without a platform count for every platform."""
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
            if child.digest in plan.manifests:  # of a sparse index, not all children are
                into = needed.setdefault(str(child.platform), {}) if known else {}
                _count(plan.manifests[child.digest], into)
    platforms = {name: sum({**common, **blobs}.values()) for name, blobs in sorted(needed.items())}
    return Sizes(plan.blob_bytes + sum(len(m.content) for m in plan.manifests.values()), platforms)


def _count(manifest: Manifest, into: dict[str, int]) -> None:
    into[manifest.descriptor.digest] = len(manifest.content)
    into.update((blob.digest, blob.size) for blob in manifest.blobs)

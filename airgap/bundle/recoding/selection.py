# SPDX-License-Identifier: Apache-2.0
"""Which layers of a plan are recoded: the gzip layers of container images."""

from __future__ import annotations

from airgap.bundle.recoding.encode import SMALLEST_LAYER
from airgap.oci import Descriptor
from airgap.oci.manifest import is_nondistributable
from airgap.transfer import Plan

#: The media types of gzip layers (OCI image-spec layer.md, Docker "Image Manifest Version 2, Schema 2").
GZIP_LAYERS = (
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)


def gzip_layers(plan: Plan) -> list[Descriptor]:
    """Return the gzip layers that the plan moves, the largest first."""
    found: dict[str, Descriptor] = {}
    other_uses = {manifest.config.digest for manifest in plan.manifests.values() if manifest.config}
    for manifest in plan.manifests.values():
        if not manifest.is_container_image:
            other_uses.update(blob.digest for blob in manifest.blobs)
            continue
        for layer in manifest.layers:
            if layer.media_type in GZIP_LAYERS and not is_nondistributable(layer) and layer.size >= SMALLEST_LAYER:
                found[layer.digest] = layer
    movable = plan.blobs.keys() - other_uses - plan.inline_blobs.keys() - plan.manifests.keys()
    return sorted((found[digest] for digest in found.keys() & movable), key=lambda layer: (-layer.size, layer.digest))

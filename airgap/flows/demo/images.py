# SPDX-License-Identifier: Apache-2.0
"""Generates the demo's images: three layers and two platforms each, always the same bytes."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from typing import Any

from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from airgap.store import MemoryStore
from airgap.store.readers import bytes_opener

_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_PLATFORMS = (("linux", "amd64"), ("linux", "arm64"))
#: Bytes of each layer. All images share the first one.
_LAYER_SIZES = (1_500_000, 400_000, 20_000)


def push_images(store: MemoryStore, tags: dict[str, str]) -> None:
    """Push an image index for each ``repository: tag`` of ``tags`` into ``store``."""
    for repository, tag in tags.items():
        manifests = []
        for os_, architecture in _PLATFORMS:
            platform = f"{os_}/{architecture}"
            seeds = (f"base {platform}", f"{repository} {platform}", f"{repository} settings")
            layers = [_layer(seed, size) for seed, size in zip(seeds, _LAYER_SIZES, strict=True)]
            config = _json({
                "architecture": architecture, "os": os_, "config": {"Cmd": ["/bin/demo"]},
                "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
            })  # fmt: skip
            document = {
                "schemaVersion": 2, "mediaType": OCI_MANIFEST,
                "config": _push(store, OCI_CONFIG, config).to_json(),
                "layers": [_push(store, _LAYER_TYPE, layer).to_json() for layer, _ in layers],
            }  # fmt: skip
            manifest = _push(store, OCI_MANIFEST, _json(document))
            store.tag(manifest, f"{repository}@{manifest.digest}")
            manifests.append({**manifest.to_json(), "platform": {"architecture": architecture, "os": os_}})
        index = _push(store, OCI_INDEX, _json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}))
        store.tag(index, f"{repository}:{tag}")
        store.tag(index, f"{repository}@{index.digest}")


def _layer(seed: str, size: int) -> tuple[bytes, str]:
    """A gzipped tar with one file of ``size`` random bytes, and the digest of the tar before compression."""
    content = random.Random(seed).randbytes(size)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(f"opt/{seed.replace('/', '-').replace(' ', '-')}")
        member.size = size
        tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 1, mtime=0), digests.of(buffer.getvalue())


def _push(store: MemoryStore, media_type: str, content: bytes) -> Descriptor:
    descriptor = Descriptor(media_type, digests.of(content), len(content))
    store.push(descriptor, bytes_opener(content))
    return descriptor


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()

# SPDX-License-Identifier: Apache-2.0
"""The demo's images: made on the spot, of several layers and two platforms, the same bytes each time."""

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

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PLATFORMS = (("linux", "amd64"), ("linux", "arm64"))
#: Bytes of each layer: a base that all images share, then two of the image's own.
_SIZES = (1_500_000, 400_000, 20_000)


def fill(store: MemoryStore, images: dict[str, str]) -> None:
    """Put an index for each ``repository: tag`` into ``store``."""
    for repository, tag in images.items():
        manifests = []
        for os_, architecture in _PLATFORMS:
            name = f"{os_}/{architecture}"
            seeds = (f"base {name}", f"{repository} {name}", f"{repository} settings")
            layers, plain = zip(*(_layer(s, n) for s, n in zip(seeds, _SIZES, strict=True)), strict=True)
            config = _json({
                "architecture": architecture, "os": os_, "config": {"Cmd": ["/bin/demo"]},
                "rootfs": {"type": "layers", "diff_ids": list(plain)},
            })  # fmt: skip
            document = {
                "schemaVersion": 2, "mediaType": OCI_MANIFEST,
                "config": _push(store, OCI_CONFIG, config).to_json(),
                "layers": [_push(store, _LAYER, layer).to_json() for layer in layers],
            }  # fmt: skip
            child = _push(store, OCI_MANIFEST, _json(document))
            store.tag(child, f"{repository}@{child.digest}")
            manifests.append({**child.to_json(), "platform": {"architecture": architecture, "os": os_}})
        index = _push(store, OCI_INDEX, _json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}))
        store.tag(index, f"{repository}:{tag}")
        store.tag(index, f"{repository}@{index.digest}")


def _layer(seed: str, size: int) -> tuple[bytes, str]:
    """A gzipped tar with one file that does not shrink, and the digest of the tar itself."""
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

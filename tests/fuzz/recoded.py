# SPDX-License-Identifier: Apache-2.0
"""One recoded layer for the doors of recoded bundles, against an older tar: its entry, its payload, its gzip bytes.

Whatever is changed, what comes out are the gzip bytes that the entry names, or one error before the last of them.
"""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from airgap.bundle import Inventory
from airgap.bundle.document_parts import Memory
from airgap.bundle.recoded import PAYLOAD_TYPE, RecodedLayer, Segment
from airgap.bundle.recoding import zstd
from airgap.bundle.recoding.codecs import check_codecs
from airgap.bundle.recoding.gunzip import gunzip
from airgap.bundle.recoding.raw_files import RawFiles
from airgap.bundle.recoding.restore import RestoringReader, restore_failure
from airgap.errors import AirgapError
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_MANIFEST
from airgap.records import Record, replace
from airgap.store.readers import BytesReader
from tests.parts.images import OCI_LAYER
from tests.parts.recoding import GO, changed, content, gzip_by

_OLD = content(1, 6000)
_NEW = changed(_OLD, 2)


class Made(Record):
    """A layer as it crosses: its ``entry`` in the inventory, its ``payload``, and its ``gzip`` bytes."""

    entry: dict[str, Any]
    payload: bytes
    gzip: bytes


@functools.cache
def made() -> Made:
    gzip, payload = gzip_by(GO, _NEW), zstd.compress(_NEW, _OLD)
    old = {"digest": digests.of(_OLD + b"gz"), "size": 7, "repositories": ["quay.io/a/b"]}
    entry = {
        "digest": digests.of(gzip), "size": len(gzip), "mediaType": OCI_LAYER, "form": "recoded",
        "payload": {"digest": digests.of(payload), "size": len(payload), "segments": [[len(payload), 0]]},
        "raw": {"digest": digests.of(_NEW), "size": len(_NEW)}, "codec": GO, "header": "H4sIAAAAAAAA/w==",
        "prefix": {"digest": digests.of(_OLD), "size": len(_OLD), "layer": old},
    }  # fmt: skip
    return Made(entry, payload, gzip)


def inventory() -> bytes:
    """An inventory with the layer."""
    manifest = {"digest": digests.of(b"m"), "size": 1, "mediaType": OCI_MANIFEST}
    image = {"reference": "q.io/a:1", **manifest, "platforms": ["linux/amd64"]}
    document = {
        "format": 1, "features": ["recode/1"], "images": [image], "resources": [], "requires": [],
        "members": {"index.json": manifest["digest"]}, "uses": {manifest["digest"]: [0, 1]},
        "blobs": [{**manifest, "form": "plain"}, made().entry],
    }  # fmt: skip
    return json.dumps(document).encode()


def restore_as_said(content: bytes) -> None:
    """Restore the layers of an inventory from the payload."""
    for layer in Inventory.from_bytes(content, where="x").recoded.values():
        _restore(layer, made().payload)


def restore_payload(content: bytes) -> None:
    """Restore the layer from a payload whose sender hashed it as it is."""
    layer = RecodedLayer.from_json(made().entry, Memory())
    payload = Descriptor(PAYLOAD_TYPE, digests.of(content), len(content))
    _restore(replace(layer, payload=payload, segments=(Segment(len(content)),)), content)


def payloads() -> list[bytes]:
    """The payload, and one that does not refer to the older tar."""
    return [made().payload, zstd.compress(_NEW, b"")]


def unpack_older_layer(content: bytes) -> None:
    size = 0
    for piece in gunzip(BytesReader(content), 2 * len(_OLD)):
        size += len(piece)
        assert size <= 2 * len(_OLD)


def _restore(layer: RecodedLayer, payload: bytes) -> None:
    if layer.codec != GO:  # its vectors take a tenth of a second
        check_codecs([layer], "x", "y")
    gzip, buffer = bytearray(), memoryview(bytearray(1000))
    with tempfile.TemporaryDirectory() as folder, RawFiles(Path(folder)) as tars:
        prefix = tars.add([_OLD]) if layer.prefix else None
        reader = RestoringReader(layer, BytesReader(payload), prefix, restore_failure(layer, "x", "y"))
        try:
            while count := reader.readinto(buffer):
                gzip += buffer[:count]
        except AirgapError:
            assert len(gzip) < layer.size or not layer.size
            raise
        finally:
            reader.close()
    assert len(gzip) == layer.size
    assert digests.of(bytes(gzip), digests.algorithm(layer.digest)) == layer.digest

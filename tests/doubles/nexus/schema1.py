# SPDX-License-Identifier: Apache-2.0
"""The old schema 1 that a legacy Nexus makes of a Docker image for who lists no media type (29)."""

from __future__ import annotations

import json

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"


def of(image: str, tag: str, manifest: bytes) -> bytes:
    """Layers in reverse order, as schema 1 has them; unsigned, since nobody who gets it should take it."""
    document = json.loads(manifest)
    layers = [{"blobSum": layer["digest"]} for layer in reversed(document["layers"])]
    history = [{"v1Compatibility": json.dumps({"id": f"{number:064x}"})} for number in reversed(range(len(layers)))]
    whole = {
        "schemaVersion": 1,
        "name": image,
        "tag": tag,
        "architecture": "amd64",
        "fsLayers": layers,
        "history": history,
    }
    return json.dumps(whole).encode()

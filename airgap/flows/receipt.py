# SPDX-License-Identifier: Apache-2.0
"""The receipt of an import: what the far side now holds, for the next export to build on and for rewriting files."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap.bundle import BundleReader
from airgap.copy import Plan
from airgap.errors import AirgapError, BundleError
from airgap.oci import Reference
from airgap.oci import digest as digests
from airgap.target import Assignment, Mapping, TargetAddress


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


@dataclass(frozen=True)
class Receipt:
    """``images`` are what an import pushed: source, target with the tag it was pushed under, digest."""

    target: str
    images: tuple[tuple[Reference, Reference, str], ...]


def read(path: str) -> Receipt:
    """The receipt at ``path``; raises :class:`BundleError` for anything else, and for images outside of its target."""
    try:
        document = json.loads(Path(path).read_bytes())
        if document["format"] != 1:
            raise BundleError(f"this receipt has the format {document['format']}, and airgap knows 1", where=path)
        address = TargetAddress.parse(document["target"])
        images = tuple(
            (Reference.parse(one["source"]), Reference.parse(one["target"]), digests.check(one["digest"]))
            for one in document["images"]
        )
    except BundleError:
        raise
    except (AirgapError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"this receipt is unreadable ({error})", where=path) from error
    prefix = f"{address.prefix}/" if address.prefix else ""
    for _, target, _ in images:
        if target.registry != address.registry or not target.repository.startswith(prefix):
            raise BundleError(f"this receipt is of {address}, and yet has {target} in it", where=path)
    return Receipt(str(address), images)

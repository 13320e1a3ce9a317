# SPDX-License-Identifier: Apache-2.0
"""The receipt of an import: what the far side now holds, for the next export to build on."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from airgap.bundle import BundleIdentity, BundleReader, Receipt, ReceiptImage, read_json_document
from airgap.durable.output import is_free
from airgap.errors import BundleError, OutputError, UsageError
from airgap.targets import Assignment, Mapping
from airgap.transfer import Plan


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
    held = planned.subset([image for image in planned.images if image.root.label not in failed])
    return Receipt(
        str(mapping.address),
        bundle.id,
        tuple(ReceiptImage(str(a.source), f"{a.target.name}:{a.tag}", a.digest) for a in images),
        {digest: tuple(job.targets) for digest, job in held.blobs.items()},
        {r.digest: r.origin for r in inventory.requires if r.digest in held.blobs and r.origin},
        (*inventory.bases, *_itself(bundle)),
    ).to_bytes()


def _itself(bundle: BundleReader) -> list[BundleIdentity]:
    """How this bundle is called, if it is."""
    inventory = bundle.inventory
    return [BundleIdentity(bundle.id, inventory.name, inventory.version)] if inventory.name or inventory.version else []


def check_receipt(path: Path, folder: Path, names: Iterable[str], *, force: bool) -> None:
    """Raise :class:`OutputError` where the receipt would replace something else, before anything is pushed."""
    resolved = path.resolve()
    if any(resolved == (folder / name).resolve() for name in names):
        raise OutputError("the receipt would replace a rewritten file", where=str(path), hint="--receipt names another")
    there = next(parent for parent in resolved.parents if parent.exists())
    if path.is_dir() or not is_free(path) or not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise OutputError("the receipt cannot be written here", where=str(path), hint="--receipt names another place")
    if path.exists() and not force and not _is_receipt(path):
        raise OutputError(
            "a file that is no receipt is already there",
            where=str(path),
            hint="--force replaces it; --receipt names another",
        )


def _is_receipt(path: Path) -> bool:
    try:
        document = read_json_document(path)
    except (BundleError, UsageError):
        return False
    return document is not None and document.kind == "receipt"

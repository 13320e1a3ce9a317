# SPDX-License-Identifier: Apache-2.0
"""The receipt of an import: what the target has afterwards. A later export can use it as ``--base``."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from airgap.bundle import BundleIdentity, BundleReader, Receipt, ReceiptImage
from airgap.bundle.receipt import ReceiptArtifact
from airgap.durable.output import is_free
from airgap.errors import BundleError, OutputError, UsageError
from airgap.i18n import tr
from airgap.targets.address import TargetAddress
from airgap.targets.assignment import Assignment
from airgap.targets.mapping import Mapping
from airgap.transfer import Plan


def receipt_of(
    bundle: BundleReader,
    mapping: Mapping,
    assignments: Sequence[Assignment],
    planned: Plan,
    failed: Collection[str],
    artifacts: tuple[ReceiptArtifact, ...] = (),
) -> bytes:
    """Return the receipt as JSON, without the images whose labels are in ``failed`` and blobs only they need."""
    inventory = bundle.inventory
    imported = [a for a in assignments if str(a.source) not in failed]
    plan = planned.subset([image for image in planned.images if image.root.label not in failed])
    return Receipt(
        str(mapping.address),
        bundle.id,
        tuple(ReceiptImage(str(a.source), f"{a.target.name}:{a.tag}", a.digest) for a in imported),
        {digest: tuple(job.targets) for digest, job in plan.blobs.items()},
        {
            required.digest: required.origin
            for required in inventory.requires
            if required.digest in plan.blobs and required.origin
        },
        (*inventory.bases, *own_origin(bundle)),
        artifacts,
    ).to_bytes()


def own_origin(bundle: BundleReader) -> list[BundleIdentity]:
    """The bundle's own name and version; empty if it has neither."""
    inventory = bundle.inventory
    return [BundleIdentity(bundle.id, inventory.name, inventory.version)] if inventory.name or inventory.version else []


def default_receipt(output_folder: Path, bundle_name: str, address: TargetAddress) -> Path:
    """Return where the receipt of an import goes by default: ``BUNDLE.receipt.json`` beside the output folder.

    If there is a receipt of another target, it stays: then the name has the target's address before the ending.
    """
    # The path "." has itself as its parent.
    is_named = output_folder.name not in ("", "..")
    folder = output_folder.parent if is_named else Path(os.path.abspath(output_folder)).parent
    path = folder / f"{bundle_name}.receipt.json"
    existing = _read_receipt(path)
    if existing is None or existing.target == str(address):
        return path
    return folder / f"{bundle_name}.{re.sub(r'[^A-Za-z0-9.-]+', '_', str(address))}.receipt.json"


def check_receipt(path: Path, folder: Path, names: Iterable[str], *, force: bool) -> None:
    """Check before a push that the receipt can be written to ``path``.

    ``names`` are the files that the import writes into ``folder``. Raises :class:`OutputError` if the receipt would
    replace one of these, if ``path`` cannot be written, or if it has a file that is not a receipt (``force`` allows
    this).
    """
    resolved = path.resolve()
    if any(resolved == (folder / name).resolve() for name in names):
        raise OutputError(
            tr("the receipt would replace a rewritten file"), where=str(path), hint=tr("--receipt names another")
        )
    parent = next((candidate for candidate in resolved.parents if candidate.exists()), resolved)
    if path.is_dir() or not is_free(path) or not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(
            tr("the receipt cannot be written here"), where=str(path), hint=tr("--receipt names another place")
        )
    if path.exists() and not force and _read_receipt(path) is None:
        raise OutputError(
            tr("a file that is no receipt is already there"),
            where=str(path),
            hint=tr("--force replaces it; --receipt names another"),
        )


def _read_receipt(path: Path) -> Receipt | None:
    """Return the receipt at ``path``; ``None`` if there is no file or another one."""
    from airgap.bundle.documents import read_json_document

    try:
        document = read_json_document(path)
    except (BundleError, UsageError):
        return None
    return document.content if document is not None and isinstance(document.content, Receipt) else None

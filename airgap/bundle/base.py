# SPDX-License-Identifier: Apache-2.0
"""What ``--base`` reads: a bundle, the ``bundle.json`` out of one, or a receipt.

A base says what the far side holds, as far as this side can know: everything that its bundle carried, and everything
that this one in turn required, since its import proved that. Manifests and configs are never part of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from airgap.bundle.documents import EXTRACT, read_document
from airgap.bundle.inventory import Inventory, Lock
from airgap.bundle.receipt import Receipt
from airgap.bundle.required_layers import Origin
from airgap.errors import BundleError, UsageError
from airgap.oci.manifest import is_manifest_type
from airgap.records import Record, field


class Held(Record):
    """``size`` is ``None`` where the base does not tell it; ``repositories`` and ``origin`` as in ``Required``."""

    size: int | None
    repositories: tuple[str, ...]
    origin: str | None


class Base(Record):
    """``id`` is what the lock records: that of :class:`airgap.bundle.Document`, since a receipt decides more than its
    bundle does."""

    path: str
    id: str
    held: Mapping[str, Held] = field(repr=False)
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False)


def read_base(path: str | os.PathLike[str]) -> Base:
    """Read what ``--base`` names; raises :class:`UsageError` for a lock, which does not say what any side holds."""
    document = read_document(path)
    content = document.content
    if isinstance(content, Lock):
        raise UsageError(
            "a lock does not say what the far side holds",
            where=document.path,
            hint="give the last bundle, its bundle.json, or a receipt",
        )
    if isinstance(content, Receipt):
        return Base(document.path, document.id, _held_by_receipt(content), {o.id: o for o in content.bases})
    if not document.exact:
        raise BundleError(
            "this is a bundle.json that another program has rewritten, so that it names no bundle",
            where=document.path,
            hint=EXTRACT,
        )
    itself = Origin(document.id, content.name, content.version)
    return Base(
        document.path,
        document.id,
        _held_by_bundle(content, document.id),
        {**{origin.id: origin for origin in content.bases}, itself.id: itself},
    )


def _held_by_receipt(receipt: Receipt) -> dict[str, Held]:
    return {
        digest: Held(
            None,
            tuple(f"{receipt.registry}/{name}" for name in sorted(names)),
            receipt.origins.get(digest, receipt.bundle),
        )
        for digest, names in receipt.blobs.items()
    }


def _held_by_bundle(inventory: Inventory, identity: str) -> dict[str, Held]:
    repositories = _repositories(inventory)
    everywhere = tuple(sorted({image.reference.name for image in inventory.images}))
    held: dict[str, Held] = {}
    for blob in inventory.blobs:
        if not is_manifest_type(blob.media_type):
            names = repositories.get(blob.digest)
            held[blob.digest] = Held(blob.size, tuple(sorted(names)) if names else everywhere, identity)
    for required in inventory.requires:
        names = {*required.repositories, *repositories.get(required.digest, ())}
        held[required.digest] = Held(required.size, tuple(sorted(names)), required.origin)
    return held


def _repositories(inventory: Inventory) -> dict[str, set[str]]:
    """The source repositories of the images that each blob belongs to, or its referrer does."""
    owners: dict[str, set[str]] = {}
    for image in inventory.images:
        owners.setdefault(image.descriptor.digest, set()).add(image.reference.name)
    for referrer, subject in inventory.referrers.items():  # subjects first
        owners.setdefault(referrer, set()).update(owners.get(subject, ()))
    everything = [*(blob.digest for blob in inventory.blobs), *(required.digest for required in inventory.requires)]
    found: dict[str, set[str]] = {}
    for root, numbers in inventory.uses.items():
        for number in numbers:
            found.setdefault(everything[number], set()).update(owners.get(root, ()))
    return found

# SPDX-License-Identifier: Apache-2.0
"""``airgap inventory``: ask a target what it holds under its prefix, and write that down as a receipt.

Only what can be read is written down: a blob stands in the receipt because a manifest that was fetched and verified
names it. Whether the registry really gives it is proven by the import that relies on it. Signatures that a registry
lists only through its referrers API are not asked for; they cross again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from airgap.bundle import Receipt, ReceiptImage
from airgap.errors import AirgapError, ContentError, NotFound, RegistryError, Unavailable, raise_all
from airgap.events import ImageFailed, Noted
from airgap.formatting import counted
from airgap.records import Record, field
from airgap.store.base import Store
from airgap.targets import Target, TargetAddress
from airgap.targets.findings import heed
from airgap.transfer import Context, Destination, Root, parallel_map, plan


@runtime_checkable
class Tagged(Protocol):
    """A repository that lists its tags."""

    def tags(self) -> list[str]: ...


class Found(Record, frozen=False):
    """``failures`` are images of which something is missing or unreadable; they are not in the receipt."""

    receipt: Receipt
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)


def inventory(target: Target, names: Sequence[str], context: Context) -> Found:
    """``names`` are repositories, with or without the target's prefix; none is all that the registry lists. The receipt
    has the names that nodes pull by, as that of an import has, whatever way the target was given by.

    Raises :class:`NotFound` for a name that the registry does not know, and what the registry answers where it does
    not list its repositories.
    """
    emit = context.emit
    heed(target.preflight(), emit)
    address = target.mapping.address
    repositories = [_under(address, name) for name in names] or _listed(target)
    stores: dict[str, Store] = {name: target.open(name) for name in dict.fromkeys(repositories)}

    def tags(name: str) -> list[str]:
        store = stores[name]
        try:
            return store.tags() if isinstance(store, Tagged) else []
        except NotFound as error:
            if names:
                raise NotFound("the registry has no such repository", where=f"{address.registry}/{name}") from error
            return []  # a catalog goes on listing what was emptied

    roots = []
    tag_lists = parallel_map(stores, tags, workers=context.jobs.control, cancel=context.cancel)
    for name, found in zip(stores, tag_lists, strict=True):
        if isinstance(found, list):
            label = f"{address.registry}/{name}"
            roots += [Root(f"{label}:{tag}", name, tag, (Destination(name, tag),)) for tag in sorted(found)]
    emit(Noted(f"{address}: {counted(len(roots), 'tag')} in {counted(len(stores), 'repository', 'repositories')}"))
    planned = plan(roots, stores, context)
    raise_all([e for _, e in planned.failures if not _is_lacking(e)])
    failures = [(root.label, error) for root, error in planned.failures]
    for label, error in failures:
        emit(ImageFailed(label, str(error)))
    images = sorted((image.root.label, image.digest) for image in planned.images)
    receipt = Receipt(
        str(address),
        None,
        tuple(ReceiptImage("", label, digest) for label, digest in images),
        {digest: tuple(job.targets) for digest, job in planned.blobs.items()},
    )
    return Found(receipt, failures)


def _is_lacking(error: AirgapError) -> bool:
    """Whether this one image is at fault, not the way to it."""
    return isinstance(error, (NotFound, ContentError))


def _under(address: TargetAddress, name: str) -> str:
    prefix = f"{address.prefix}/" if address.prefix else ""
    return name if name.startswith(prefix) else f"{prefix}{name}"


def _listed(target: Target) -> list[str]:
    try:
        return target.repositories()
    except Unavailable:
        raise
    except RegistryError as error:
        hint = "name the repositories with --repository NAME, once for each"
        error.hint = hint if not error.hint else f"{hint}; or {error.hint}"
        raise

# SPDX-License-Identifier: Apache-2.0
"""``airgap inventory``: asks a target which images it has and writes a receipt of them.

The receipt lists the blobs of the manifests that were fetched and verified. Whether the registry really has each blob
is proven later, by the import that relies on it. Signatures that a registry lists only through its referrers API are
not in the receipt, so they are exported again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from airgap.bundle import Receipt, ReceiptImage
from airgap.errors import AirgapError, ContentError, NotFound, RegistryError, Unavailable, raise_all
from airgap.events import ImageFailed, Noted
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.store.protocols import Store
from airgap.targets import Target, TargetAddress
from airgap.targets.findings import raise_or_warn
from airgap.transfer import Context, Destination, Root, parallel_map, plan


@runtime_checkable
class SupportsTagList(Protocol):
    """A repository that can list its tags."""

    def tags(self) -> list[str]:
        """Return all tags. Raises :class:`NotFound` for an unknown repository."""


class InventoryResult(Record, frozen=False):
    """``failures`` are the images with missing or unreadable parts, with their errors. The receipt omits them."""

    receipt: Receipt
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)


def inventory(target: Target, names: Sequence[str], context: Context) -> InventoryResult:
    """Return a receipt of what the target has.

    ``names`` are repositories, with or without the target's prefix; without any, all that the registry lists are read.
    As in the receipt of an import, images have the names by which nodes pull them. Raises :class:`NotFound` for an
    unknown repository in ``names``, and the registry's error if it cannot list its repositories.
    """
    emit = context.emit
    raise_or_warn(target.preflight(), emit)
    address = target.mapping.address
    repositories = [_with_prefix(address, name) for name in names] or _listed_repositories(target)
    stores: dict[str, Store] = {repository: target.open(repository) for repository in dict.fromkeys(repositories)}
    roots = _tagged_roots(address, stores, context, skip_missing=not names)
    emit(
        Noted(
            tr(
                "{address}: {tag_count} in {repository_count}",
                address=address,
                tag_count=counted(len(roots), "tag"),
                repository_count=counted(len(stores), "repository", "repositories"),
            )
        )
    )
    planned = plan(roots, stores, context)
    raise_all([error for _, error in planned.failures if not _concerns_one_image(error)])
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
    return InventoryResult(receipt, failures)


def _tagged_roots(
    address: TargetAddress, stores: Mapping[str, Store], context: Context, *, skip_missing: bool
) -> list[Root]:
    """Return a root for each tag of each repository.

    ``skip_missing`` skips unknown repositories: a registry may go on listing empty ones. Otherwise they raise
    :class:`NotFound`.
    """

    def list_tags(repository: str) -> list[str]:
        store = stores[repository]
        try:
            return store.tags() if isinstance(store, SupportsTagList) else []
        except NotFound as error:
            if skip_missing:
                return []
            where = f"{address.registry}/{repository}"
            raise NotFound(tr("the registry has no such repository"), where=where) from error

    roots = []
    tag_lists = parallel_map(stores, list_tags, workers=context.jobs.control, cancel=context.cancel)
    for repository, tags in zip(stores, tag_lists, strict=True):
        if isinstance(tags, list):
            for tag in sorted(tags):
                label = f"{address.registry}/{repository}:{tag}"
                roots.append(Root(label, repository, tag, (Destination(repository, tag),)))
    return roots


def _concerns_one_image(error: AirgapError) -> bool:
    """Whether the error is about the image's content, not about the connection to the registry."""
    return isinstance(error, (NotFound, ContentError))


def _with_prefix(address: TargetAddress, name: str) -> str:
    prefix = f"{address.prefix}/" if address.prefix else ""
    return name if name.startswith(prefix) else f"{prefix}{name}"


def _listed_repositories(target: Target) -> list[str]:
    """Return the repositories that the registry lists; errors get a hint to name the repositories instead."""
    try:
        return target.repositories()
    except Unavailable:
        raise
    except RegistryError as error:
        hint = tr("name the repositories with --repository NAME, once for each")
        error.hint = hint if not error.hint else tr("{hint}; or {error_hint}", hint=hint, error_hint=error.hint)
        raise

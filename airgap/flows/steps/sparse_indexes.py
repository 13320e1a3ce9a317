# SPDX-License-Identifier: Apache-2.0
"""Indexes without all of their images: says so at export, and finds out at import whether the target takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.errors import RegistryError, TargetError
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.store.protocols import Store
from airgap.targets.protocols import SupportsSparseCheck, Target
from airgap.transfer import Context, Image, Plan
from airgap.transfer.engine import SupportsManifestPush

#: distribution-spec "Error Codes", and the statuses that Nexus and others send without one.
_REFUSED_CODES = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "MANIFEST_INVALID")
_REFUSED_STATUSES = (400, 404)
_HINT = tr("nothing was pushed; export without --sparse, or without --platform, or to a target that takes such indexes")


def warn_of_sparse_indexes(plan: Plan, context: Context) -> None:
    """Warn of the indexes in a bundle that not every target takes."""
    sparse = [image for image in plan.images if plan.absent_children(image)]
    if sparse:
        context.warn(
            tr(
                "{count} with the whole index, but not all of its images: Nexus and other registries that check them "
                "refuse such an index",
                count=counted(len(sparse), "image"),
            )
        )


def may_have_sparse_indexes(target: Target) -> bool:
    """Whether the target may have indexes without all of their images: of Nexus it is known that it has none.

    To find them costs a request for each image of an index, so it is done for a sparse bundle, or with ``--overwrite``.
    """
    return not isinstance(target, SupportsSparseCheck) or target.sparse_refusal() is None


def check_sparse_indexes(
    plan: Plan, images: Sequence[Image], stores: Mapping[str, Store], target: Target, *, dry_run: bool
) -> None:
    """Raise :class:`TargetError` if one of ``images`` is an index that the target would refuse in the end.

    What nobody knows of a target is tried, except in a dry run: the index itself is pushed by its digest before
    everything else. A registry that takes it without its images takes it, and it would be pushed anyway.
    """
    for image in images:
        for repository in dict.fromkeys(place.repository for place in image.root.destinations):
            store = stores[repository]
            lacking = [child for child in plan.absent_children(image) if not store.exists(child)]
            if not lacking:
                continue
            refusal = target.sparse_refusal() if isinstance(target, SupportsSparseCheck) else None
            if refusal is not None:
                platforms = _platforms(lacking)
                what = tr("{refusal}: {lacking}", refusal=refusal.what, lacking=platforms)
                raise TargetError(what, where=image.root.label, hint=refusal.hint)
            if not dry_run:
                _try(image, store, lacking)


def _platforms(children: Sequence[Descriptor]) -> str:
    """Return what is lacking of an index, for messages."""
    return ", ".join(dict.fromkeys(str(child.platform or child.digest) for child in children))


def _try(image: Image, store: Store, lacking: Sequence[Descriptor]) -> None:
    if not isinstance(store, SupportsManifestPush):
        return
    descriptor = image.manifest.descriptor
    try:
        store.push_manifest(descriptor, image.manifest.content, descriptor.digest)
    except RegistryError as error:
        if error.code not in _REFUSED_CODES and error.status not in _REFUSED_STATUSES:
            raise
        # A registry may check some platforms only. If all that it misses will be pushed, the index is taken in the end.
        if error.digests and not error.digests & {child.digest for child in lacking}:
            return
        raise TargetError(
            tr(
                "the registry refuses this index without all of its images: {lacking} ({said})",
                lacking=_platforms(lacking),
                said=error.said or error.status,
            ),
            where=f"{image.root.label}: {store}",
            hint=_HINT,
        ) from error

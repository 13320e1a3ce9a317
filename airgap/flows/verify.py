# SPDX-License-Identifier: Apache-2.0
"""``airgap verify``: is this bundle what it says, byte for byte; and does the target hold the same."""

from __future__ import annotations

from functools import partial

from airgap.bundle import BundleReader
from airgap.bundle.media.checksums import damaged_files
from airgap.bundle.omitted_layers import describe_requirements
from airgap.errors import AirgapError, BundleError, ContentError, ContentMissing, DigestMismatch, raise_all
from airgap.events import BlobDone, BlobStarted, Planned
from airgap.oci import Descriptor
from airgap.records import Record, field
from airgap.store.base import Store
from airgap.targets import Mapping, Target
from airgap.targets.base_layers import Completed
from airgap.targets.import_plan import BUNDLE, assignments_of, roots_of
from airgap.transfer import Context, Destination, Meter, Root, parallel_map, plan, resolve_tags

#: What helps, by whether the bundle is split into volumes.
_AGAIN = {
    False: "copy the bundle once more from the other side",
    True: "copy this volume once more; export --volume N --lock makes it again",
}


class Verified(Record, frozen=False):
    """``needs`` says what a differential bundle builds on; ``damaged`` maps each damaged blob to the images that need
    it."""

    blobs: int
    bytes: int
    needs: list[str] = field(default_factory=list)
    damaged: dict[str, list[str]] = field(default_factory=dict)


def verify(bundle: BundleReader, context: Context) -> Verified:
    """Read everything. Raises :class:`DigestMismatch` (or the head's error) naming the images that are touched."""
    bundle.check_head()
    blobs, emit = bundle.inventory.blobs, context.emit
    emit(Planned(len(bundle.inventory.images), 0, len(blobs), sum(blob.size for blob in blobs)))

    def check(blob: Descriptor) -> None:
        emit(BlobStarted(blob.digest, blob.size))
        try:
            bundle.check_blob(blob, Meter(blob, partial(bundle.open, blob), emit, context.cancel).open)
        except (ContentError, BundleError):
            emit(BlobDone(blob.digest, 0, "failed"))
            raise
        emit(BlobDone(blob.digest, blob.size, "verified"))

    workers = 1 if bundle.ordered else min(context.jobs.transfers, 4)
    results = parallel_map(blobs, check, workers=workers, cancel=context.cancel, keep_going=True)
    bundle.check_end()
    damaged = {blob.digest: error for blob, error in zip(blobs, results, strict=True) if isinstance(error, AirgapError)}
    if damaged:
        touched = _touched(bundle, set(damaged))
        raise_all(
            [
                DigestMismatch(
                    f"{digest} is damaged, and with it {', '.join(touched.get(digest, ['no image']))} ({error.what})",
                    where=_where(bundle, digest),
                    hint=_AGAIN[bundle.is_split],
                )
                for digest, error in damaged.items()
            ]
        )
    _check_complete(bundle)
    return Verified(len(blobs), sum(blob.size for blob in blobs), describe_requirements(bundle.inventory))


def against(bundle: BundleReader, mapping: Mapping, target: Target, context: Context) -> int:
    """Compare every tag of the target with the bundle; return how many there are, raise what differs."""
    target.preflight()
    assignments = assignments_of(bundle.inventory, target.mapping)
    stores: dict[str, Store] = {a.repository: target.open(a.repository) for a in assignments}
    planned = plan(roots_of(bundle, assignments), {BUNDLE: bundle}, context, workers=1)
    found = resolve_tags(planned, stores, context)
    errors: list[AirgapError] = []
    for a in assignments:
        digest, where = found.get(Destination(a.repository, a.tag)), f"{a.target.name}:{a.tag}"
        if digest is None:
            errors.append(
                ContentMissing(
                    "the target does not have it",
                    where=where,
                    hint=f"airgap import {bundle.path} --to {mapping.address} pushes it",
                )
            )
        elif digest != a.digest:
            errors.append(ContentError(f"the target has {digest}, the bundle {a.digest}", where=where))
    raise_all(errors)
    return len(assignments)


def _where(bundle: BundleReader, digest: str) -> str:
    """The bundle's file, or of the volumes in which a blob lies those that are not as they were made."""
    files = bundle.files_of(bundle.resolve(digest))
    return ", ".join(damaged_files(files) or files)


def _check_complete(bundle: BundleReader) -> None:
    """Every image's manifests and blobs are in the inventory, in the bundle or under what it requires, so that no
    import stops in the middle; and what is not whole is not offered to other programs as if it were."""
    roots = [Root(str(i.reference), BUNDLE, i.descriptor.digest) for i in bundle.inventory.images]
    completed = Completed(bundle)
    planned = plan(roots, {BUNDLE: completed}, workers=1)
    raise_all([error for _, error in planned.failures])
    for image in planned.images:
        for manifest in planned.closure(image):
            for blob in manifest.blobs:
                if blob.digest in planned.blobs and not completed.exists(blob):
                    raise ContentMissing(f"{blob.digest} is not in the bundle", where=image.root.label)
                if blob.digest in completed.required and image.digest not in bundle.inventory.incomplete:
                    raise BundleError(f"{blob.digest} was left out, and the inventory hides it", where=image.root.label)


def _touched(bundle: BundleReader, damaged: set[str]) -> dict[str, list[str]]:
    touched: dict[str, list[str]] = {}
    for entry in bundle.inventory.images:
        for digest in sorted(_needed(bundle, entry.descriptor.digest) & damaged):
            touched.setdefault(digest, []).append(str(entry.reference))
    return touched


def _needed(bundle: BundleReader, root: str) -> set[str]:
    """All that an image leads to, past manifests that cannot be read."""
    needed, waiting = set[str](), [root]
    while waiting:
        digest = waiting.pop()
        if digest in needed:
            continue
        needed.add(digest)
        try:
            manifest = bundle.manifest(digest)
        except AirgapError:
            continue
        needed.update(blob.digest for blob in manifest.blobs)
        waiting += [child.digest for child in manifest.children]
    return needed

# SPDX-License-Identifier: Apache-2.0
"""``airgap verify``: reads all of a bundle and verifies it, and compares a target's tags with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from airgap.bundle import BundleReader
from airgap.bundle.damage import damaged_file, images_by_blob, repair_hint
from airgap.bundle.omitted_layers import describe_requirements
from airgap.errors import AirgapError, BundleError, ContentError, ContentMissing, DigestMismatch, raise_all
from airgap.events import BlobDone, BlobStarted, Planned
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.records import Record
from airgap.store.protocols import Store
from airgap.targets import DEFAULT_POLICY, Mapping, Target
from airgap.targets.base_layers import BundleWithBaseLayers
from airgap.targets.findings import raise_or_warn
from airgap.targets.import_plan import BUNDLE, assignments_of, roots_of
from airgap.transfer import Context, Destination, Meter, Root, parallel_map, plan, resolve_tags


class VerifyResult(Record):
    """How much was verified. ``requirements`` are lines about the bundles that a differential bundle builds on."""

    blobs: int
    bytes: int
    requirements: Sequence[str] = ()


def verify(bundle: BundleReader, context: Context, *, signed: bool = False) -> VerifyResult:
    """Read and verify the whole bundle. ``signed`` is as for :meth:`BundleReader.check_end`.

    Raises :class:`DigestMismatch` for each damaged blob with its images, BundleError for other damage, ContentMissing.
    """
    bundle.check_head()
    blobs, emit = bundle.inventory.stored, context.emit
    emit(Planned(len(bundle.inventory.images), 0, len(blobs), sum(blobs.sizes())))

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
    bundle.check_end(signed=signed)
    layers = {layer.payload.digest: layer.digest for layer in bundle.inventory.recoded.values()}
    checked = ((layers.get(blob.digest, blob.digest), error) for blob, error in zip(blobs, results, strict=True))
    errors = {digest: error for digest, error in checked if isinstance(error, AirgapError)}
    _raise_damage(bundle, errors)
    _check_complete(bundle)
    return VerifyResult(len(blobs), sum(blob.size for blob in blobs), describe_requirements(bundle.inventory))


def verify_target(
    bundle: BundleReader, mapping: Mapping, target: Target, context: Context, *, connection: str = ""
) -> int:
    """Compare the target's tags with the bundle and return their number.

    ``connection`` are the options with which a command reaches the target, for the hint of a missing tag.

    Raises :class:`ContentMissing` for each missing tag and :class:`ContentError` for each tag with another digest.
    """
    raise_or_warn(target.preflight(), context.emit)
    source = "BUNDLE" if bundle.is_standard_input else quoted(bundle.path)
    policy = "" if mapping.policy == DEFAULT_POLICY else tr(" --mapping {policy}", policy=mapping.policy)
    to = f"{mapping.address.argument}{connection}{policy}"
    assignments = assignments_of(bundle.inventory, target.mapping)
    stores: dict[str, Store] = {assignment.repository: target.open(assignment.repository) for assignment in assignments}
    planned = plan(roots_of(bundle, assignments), {BUNDLE: bundle}, context, workers=1)
    digests = resolve_tags(planned, stores, context)
    errors: list[AirgapError] = []
    for assignment in assignments:
        digest = digests.get(Destination(assignment.repository, assignment.tag))
        where = f"{target.mapping.address.place_of(assignment.repository)}:{assignment.tag}"
        if digest is None:
            errors.append(
                ContentMissing(
                    tr("the target does not have it"),
                    where=where,
                    hint=f"airgap import {source} --to {to}",
                )
            )
        elif digest != assignment.digest:
            errors.append(
                ContentError(
                    tr(
                        "the target has {digest}, the bundle {assignment_digest}",
                        digest=digest,
                        assignment_digest=assignment.digest,
                    ),
                    where=where,
                )
            )
    raise_all(errors)
    return len(assignments)


def _raise_damage(bundle: BundleReader, errors: dict[str, AirgapError]) -> None:
    """Raise the errors of damaged blobs, by digest, with the images that need the blob and the file that has it."""
    if not errors:
        return
    references = images_by_blob(bundle, set(errors))
    raise_all(
        [
            DigestMismatch(
                tr(
                    "{digest} is damaged, and with it {references} ({what})",
                    digest=digest,
                    references=", ".join(references.get(digest, [tr("no image")])),
                    what=error.what,
                ),
                where=damaged_file(bundle, digest),
                hint=repair_hint(bundle, digest),
            )
            for digest, error in errors.items()
        ]
    )


def _check_complete(bundle: BundleReader) -> None:
    """Check that every blob of every image is in the bundle or one of its required layers.

    Raises :class:`ContentMissing` for a missing blob, and :class:`BundleError` if ``index.json`` offers an image with
    required layers to other programs.
    """
    roots = [Root(str(image.reference), BUNDLE, image.descriptor.digest) for image in bundle.inventory.images]
    completed = BundleWithBaseLayers(bundle)
    planned = plan(roots, {BUNDLE: completed}, workers=1)
    raise_all([error for _, error in planned.failures])
    for image in planned.images:
        for manifest in planned.closure(image):
            for blob in manifest.blobs:
                if blob.digest in planned.blobs and not completed.exists(blob):
                    raise ContentMissing(
                        tr("{digest} is not in the bundle", digest=blob.digest), where=image.root.label
                    )
                if blob.digest in completed.required and image.digest not in bundle.inventory.incomplete:
                    raise BundleError(
                        tr("{digest} was left out, and the inventory hides it", digest=blob.digest),
                        where=image.root.label,
                    )

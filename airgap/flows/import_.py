# SPDX-License-Identifier: Apache-2.0
"""``airgap import``: choose each image's name, check the target, push what is missing, read it back, write the YAML.
Artifacts go into their repositories in the same copy."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from airgap.artifacts.publish.opening import Opener
from airgap.artifacts.publish.publication import Publication, prepare
from airgap.bundle import BundleReader
from airgap.durable import output
from airgap.errors import AirgapError, raise_all
from airgap.flows.steps.after_push import images_are_pushed
from airgap.flows.steps.placement import ImportRequest, check_and_place
from airgap.flows.steps.recorded_import import NO_HISTORY, History
from airgap.flows.steps.restored_layers import LayersToRestore, layers_to_restore
from airgap.flows.steps.sparse_indexes import check_sparse_indexes, may_have_sparse_indexes
from airgap.kube.rewrite.bundle_files import without_failed_images
from airgap.kube.rewrite.file_set import RewrittenFile
from airgap.kube.rewrite.output import write_rewritten
from airgap.kube.rewrite.written import remove_files
from airgap.records import Record, field
from airgap.store.protocols import Store
from airgap.targets import SupportsCapacity, SupportsTagPolicy, SupportsUploadProbe, Target
from airgap.targets.base_layers import BundleWithBaseLayers
from airgap.targets.findings import raise_or_warn
from airgap.targets.import_plan import BUNDLE, count_new_tags, missing_images, roots_of
from airgap.targets.import_receipt import receipt_of
from airgap.transfer import Context, CopyOptions, Report, copy, plan, verify_tags

__all__ = ["ImportRequest", "ImportResult", "import_"]


class ImportResult(Record, frozen=False):
    """``names`` are the images that were pushed, or would be; ``present`` counts those that the target had already;
    ``files`` were written, and ``receipt``; ``removed`` are names of files that another version had; ``failures`` are
    the images left out by ``keep_going``.
    ``publication`` is what was done with artifacts."""

    names: list[str] = field(default_factory=list)
    present: int = 0
    files: list[RewrittenFile] = field(default_factory=list)
    receipt: Path = Path()
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)
    report: Report | None = None
    removed: Sequence[str] = ()
    publication: Publication = field(default_factory=Publication)


def import_(
    request: ImportRequest, bundle: BundleReader, target: Target, context: Context, opener: Opener | None = None,
    history: History = NO_HISTORY,
) -> ImportResult:  # fmt: skip
    """Make the target hold the bundle's images, then write its resource files rewritten, and a receipt.

    ``opener`` opens the repositories of the bundle's artifacts, which are uploaded along with the images; without it
    they are left out. A shard leaves them to the last run. ``history`` gets a line, unless it is a dry run.

    Raises :class:`airgap.errors.TargetError` before anything is pushed, and what the transfer raises. A file is written
    only if every image that it names was already at the target, or was pushed and its tag read back.
    """
    with (
        nullcontext() if request.dry_run or request.shard else output.folder_for(request.output),
        layers_to_restore(bundle, request.bases) as recoded,
    ):
        return _import(request, bundle, target, opener, recoded, context, history)


def _import(
    request: ImportRequest, bundle: BundleReader, target: Target, opener: Opener | None, recoded: LayersToRestore,
    context: Context, history: History,
) -> ImportResult:  # fmt: skip
    placement = check_and_place(request, bundle, target, context)
    publication = prepare(bundle, opener, context) if opener is not None and not request.shard else Publication()
    files = placement.files
    roots = roots_of(bundle, placement.assignments)
    bundle_with_base = BundleWithBaseLayers(bundle) if bundle.inventory.requires or bundle.missing_blobs else None
    sources = {BUNDLE: bundle_with_base or bundle}
    planned = plan(roots, sources, context, workers=1)
    raise_all([error for _, error in planned.failures])
    repositories = sorted({place.repository for root in roots for place in root.destinations})
    stores: dict[str, Store] = {name: target.open(name) for name in repositories}
    fixed_tag = target.fixed_tag if isinstance(target, SupportsTagPolicy) else lambda _: None
    sparse = bool(bundle.inventory.absent or request.overwrite) and may_have_sparse_indexes(target)
    missing, present, existing = missing_images(
        planned, stores, context, overwrite=request.overwrite, fixed_tag=fixed_tag, sparse=sparse,
        overwrite_hint=request.overwrite_hint,
    )  # fmt: skip
    needed = planned.subset(missing)
    if bundle_with_base is not None:
        bundle_with_base.find_base_layers(needed, placement.mapping, target, context)
    recoded.prepare(needed, placement.mapping, target, context)
    if isinstance(target, SupportsCapacity):
        raise_or_warn(target.check_capacity(count_new_tags(missing)), context.emit)
    check_sparse_indexes(planned, missing, stores, target, dry_run=request.dry_run)
    names = [image.root.label for image in missing if not image.root.companion]
    result = ImportResult(names, present, files, placement.receipt, publication=publication)
    if request.dry_run:
        return result
    if missing and isinstance(target, SupportsUploadProbe):
        raise_or_warn(target.probe_upload(), context.emit)
    if request.shard:
        omitted = set(bundle_with_base.required if bundle_with_base else ())
        needed, result.names, result.files = request.shard.select(needed, planned, omitted), [], []
    stores |= publication.add_to(needed, BUNDLE)
    order = bundle.inventory.blobs if bundle.ordered else None
    options = CopyOptions(keep_going=request.keep_going, order=order, existing=existing)
    with history.recording(bundle, str(placement.mapping.address)) as record:
        result.report = copy(needed, sources, stores, context, options)
        bundle.drain()
        if request.shard:
            record.shard = str(request.shard)
            return result
        result.failures = [(root.label, error) for root, error in result.report.failures]
        failed = {label for label, _ in result.failures}
        result.names = [name for name in result.names if name not in failed]
        verify_tags([image for image in missing if image.root.label not in failed], stores, context)
        publication.finish(failed, context)
        result.files = without_failed_images(files, failed, request.rules, context.emit)
        artifacts = publication.receipt(failed)
        receipt = receipt_of(bundle, placement.mapping, placement.assignments, planned, failed, artifacts)
        record.fill(placement.assignments, artifacts, failed)
        with images_are_pushed():
            contents = [(file.name, file.after) for file in result.files]
            write_rewritten(request.output, contents, result.files, bundle=bundle.id)
            if not failed:
                remove_files(request.output, placement.stale)
                result.removed = placement.stale
            output.write_files(placement.receipt.parent, [(placement.receipt.name, receipt)])
    return result

# SPDX-License-Identifier: Apache-2.0
"""``airgap import``: choose each image's name, check the target, push what is missing, read it back, write the YAML."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from airgap import kube
from airgap.bundle import BundleReader
from airgap.durable import output
from airgap.errors import AirgapError, raise_all
from airgap.kube.rewrite.bundle_files import rewrite_bundle_files, without_failed_images
from airgap.kube.rewrite.file_set import RewrittenFile
from airgap.kube.rewrite.log import REWRITE_LOG
from airgap.kube.rewrite.output import check_log, write_rewritten
from airgap.records import Record, field
from airgap.store.protocols import Store
from airgap.targets import Assignment, Mapping, SupportsCapacity, SupportsUploadProbe, Target
from airgap.targets.base_layers import BundleWithBaseLayers
from airgap.targets.findings import raise_or_warn
from airgap.targets.import_plan import BUNDLE, assignments_of, missing_images, roots_of
from airgap.targets.import_receipt import check_receipt, receipt_of
from airgap.transfer import Context, CopyOptions, Report, copy, plan, verify_tags
from airgap.transfer.shard import Shard


class ImportRequest(Record):
    """Where the rewritten files and the receipt go, and what may be replaced.

    With a ``shard`` only its blobs are pushed: no manifest, no file, no receipt.
    """

    output: Path
    receipt: Path
    overwrite: bool = False
    keep_going: bool = False
    dry_run: bool = False
    force: bool = False
    rules: kube.CustomRules = kube.NO_CUSTOM_RULES
    shard: Shard | None = None


class ImportResult(Record, frozen=False):
    """``names`` are the images that were pushed, or would be; ``present`` counts those that the target had already;
    ``files`` were written; ``failures`` are the images left out by ``keep_going``."""

    names: list[str] = field(default_factory=list)
    present: int = 0
    files: list[RewrittenFile] = field(default_factory=list)
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)
    report: Report | None = None


class _Placement(Record):
    """Where everything goes: the images by ``mapping``, and the resource files rewritten for it."""

    mapping: Mapping
    assignments: Sequence[Assignment]
    files: list[RewrittenFile]


def import_(request: ImportRequest, bundle: BundleReader, target: Target, context: Context) -> ImportResult:
    """Make the target hold the bundle's images, then write its resource files rewritten, and a receipt.

    Raises :class:`airgap.errors.TargetError` before anything is pushed, and what the transfer
    raises. A file is written only if every image that it names was already at the target, or was pushed and its tag
    read back.
    """
    with nullcontext() if request.dry_run or request.shard else output.folder_for(request.output):
        return _import(request, bundle, target, context)


def _import(request: ImportRequest, bundle: BundleReader, target: Target, context: Context) -> ImportResult:
    placement = _check_and_place(request, bundle, target, context)
    files = placement.files
    roots = roots_of(bundle, placement.assignments)
    bundle_with_base = BundleWithBaseLayers(bundle) if bundle.inventory.requires else None
    sources = {BUNDLE: bundle_with_base or bundle}
    planned = plan(roots, sources, context, workers=1)
    raise_all([error for _, error in planned.failures])
    repositories = sorted({place.repository for root in roots for place in root.destinations})
    stores: dict[str, Store] = {name: target.open(name) for name in repositories}
    missing, present, existing = missing_images(planned, stores, context, overwrite=request.overwrite)
    needed = planned.subset(missing)
    if bundle_with_base is not None:
        bundle_with_base.find_base_layers(needed, placement.mapping, target, context)
    if isinstance(target, SupportsCapacity):
        new_tags = sum(bool(place.tag) for image in missing for place in image.root.destinations)
        raise_or_warn(target.check_capacity(new_tags), context.emit)
    result = ImportResult([image.root.label for image in missing if image.root.destinations[0].tag], present, files)
    if request.dry_run:
        return result
    if missing and isinstance(target, SupportsUploadProbe):
        raise_or_warn(target.probe_upload(), context.emit)
    if request.shard:
        needed, result.names, result.files = needed.shard(request.shard.index, request.shard.count), [], []
    order = bundle.inventory.blobs if bundle.ordered else None
    options = CopyOptions(keep_going=request.keep_going, order=order, existing=existing)
    result.report = copy(needed, sources, stores, context, options)
    bundle.drain()
    if request.shard:
        return result
    result.failures = [(root.label, error) for root, error in result.report.failures]
    failed = {label for label, _ in result.failures}
    result.names = [name for name in result.names if name not in failed]
    verify_tags([image for image in missing if image.root.label not in failed], stores, context)
    result.files = without_failed_images(files, failed, request.rules, context.emit)
    write_rewritten(request.output, [(file.name, file.after) for file in result.files], result.files)
    receipt = receipt_of(bundle, placement.mapping, placement.assignments, planned, failed)
    output.write_files(request.receipt.parent, [(request.receipt.name, receipt)])
    return result


def _check_and_place(request: ImportRequest, bundle: BundleReader, target: Target, context: Context) -> _Placement:
    """Refuse collisions and occupied output files before anything is asked of the target, then check the target.

    The preflight may find that nodes pull by another address; the names are then computed again with it.
    """
    placement = _place(request, bundle, target.mapping, context)
    raise_or_warn(target.preflight(), context.emit)
    return placement if target.mapping == placement.mapping else _place(request, bundle, target.mapping, context)


def _place(request: ImportRequest, bundle: BundleReader, mapping: Mapping, context: Context) -> _Placement:
    assignments = assignments_of(bundle.inventory, mapping, emit=context.emit)
    references = {assignment.source: assignment.target for assignment in assignments}
    files = rewrite_bundle_files(bundle, references, request.rules, context.emit)
    if not request.shard:
        _check_output(request, files)
    return _Placement(mapping, assignments, files)


def _check_output(request: ImportRequest, files: Sequence[RewrittenFile]) -> None:
    output.check_free(request.output, [(file.name, file.after) for file in files], force=request.force)
    check_log(request.output)
    names = [REWRITE_LOG, *(file.name for file in files)]
    check_receipt(request.receipt, request.output, names, force=request.force)

# SPDX-License-Identifier: Apache-2.0
"""``airgap export``: resolve the images, give every blob its place in the bundle, fetch them, give the file its name.
A run that was stopped is resumed: tags stay at the digests of the first run, and no finished blob is fetched again."""

from __future__ import annotations

from pathlib import Path

from airgap.artifacts.collect import Collected
from airgap.bundle import Extras, Lockfile, build_layout, read_base
from airgap.bundle.build import BundleBuild
from airgap.bundle.lockfile import create_lockfile
from airgap.bundle.omitted_layers import omit_layers
from airgap.dossier.planned import PlannedBundle
from airgap.errors import UsageError
from airgap.flows.images import FoundImages
from airgap.flows.steps.add_parity import add_parity
from airgap.flows.steps.bundle_content import BundleContent
from airgap.flows.steps.carried_resources import carried_resources, skipped_names
from airgap.flows.steps.export_artifacts import artifact_folder, collect_artifacts, plan_artifacts
from airgap.flows.steps.export_inputs import check_output, check_places, read_export_lock, write_export_lock
from airgap.flows.steps.export_recoding import recoding_folder, with_recoded_layers
from airgap.flows.steps.export_request import Exported, ExportRequest
from airgap.flows.steps.finished_bundle import is_finished
from airgap.flows.steps.resolve import BUNDLE, ResolvedImages, failed_images, resolve_images
from airgap.flows.steps.sign_export import write_signatures
from airgap.flows.steps.sparse_indexes import warn_of_sparse_indexes
from airgap.flows.steps.verify_images import verify_images
from airgap.formatting import human
from airgap.i18n import tr
from airgap.registry import Registries
from airgap.transfer import Context, CopyOptions, copy
from airgap.transfer.sizes import measure

__all__ = ["ExportRequest", "Exported", "export"]


def export(request: ExportRequest, found_images: FoundImages, registries: Registries, context: Context) -> Exported:
    """Make the bundle. Failures while planning are collected and raised together; then nothing is left behind."""
    how = {"refresh": request.refresh, "restart": request.restart, "dry_run": request.dry_run}
    with (
        BundleBuild.open(request.form, **how, emit=context.emit) as build,
        artifact_folder(request.form, request.artifacts, temporary=request.dry_run, restart=request.restart) as folder,
        recoding_folder(request) as recoding,
    ):
        return _export(request, found_images, registries, build, folder, recoding, context)


def _export(
    request: ExportRequest, found_images: FoundImages, registries: Registries, build: BundleBuild, folder: Path,
    recoding: Path | None, context: Context,
) -> Exported:  # fmt: skip
    base = read_base(request.base) if request.base else None
    replace = request.force or build.resuming
    check_output(request.form, found_images, request.signing, replace or request.dry_run)
    resources = carried_resources(found_images, context.emit) if request.carry_resources else []
    locked = read_export_lock(
        request.lock, request.form, request.platforms, base.id if base else None,
        None if request.only_artifacts else resources, refresh=request.refresh, sparse=request.sparse,
    ) or build.lockfile  # fmt: skip
    found_images.emit_messages(context.emit)
    resolved, collected = _resolved(request, found_images, registries, locked, build, folder, context)
    planned = resolved.plan
    failures = failed_images(planned, context.emit, keep_going=request.keep_going)
    lockfile = create_lockfile(request.platforms, planned, resources, base.id if base else None, sparse=request.sparse)
    warn_of_sparse_indexes(planned, context)
    sizes = measure(planned)
    artifacts = plan_artifacts(collected, planned, resolved.sources, lockfile)
    omitted = omit_layers(planned, base, context.emit, [artifact.descriptor.digest for artifact in artifacts])
    carried = (resources, request.program, request.name, request.version, request.notes, skipped_names(found_images))
    inventory, layout = build_layout(
        planned, Extras(*carried, artifacts, request.attached), omitted.requires, omitted.bases
    )
    content = BundleContent(planned, resolved.sources, inventory, layout)
    content = with_recoded_layers(content, request, recoding, base, registries, context)
    inventory = content.inventory
    request.form.check_layout(content.layout, inventory)
    layout, signature_files = request.signing.sign(request.form, inventory, content.layout)
    paths = request.form.output_paths(layout)
    result = Exported(
        PlannedBundle(
            inventory, layout.total, paths, planned, resolved.sources, resources, request.notes or b"",
            request.attached,
        ),
        len(inventory.images), len(inventory.blobs), sizes, 0, paths, failures, resolved.unresolved,
    )  # fmt: skip
    context.note(tr("bundle size: {total}", total=human(layout.total)))
    # What fewer platforms would save of a differential bundle is not what they would save of a whole one.
    if not request.platforms and base is None and (advice := sizes.advice()):
        context.note(advice)
    if request.dry_run:
        write_export_lock(request.lock if request.lock_only else None, lockfile, refresh=request.refresh)
        return result
    if replace or not is_finished(request.form, inventory, layout, signature_files, result.paths, context):
        check_places(request.form, result.paths, replace=replace)
        with build.writer(content.plan, inventory, layout, lockfile) as writer:
            result.report = copy(
                content.plan, build.with_leftovers(content.plan, content.sources), {BUNDLE: writer}, context,
                CopyOptions(verb="fetched", order=layout.blobs if writer.ordered else None),
            )  # fmt: skip
            write_signatures(signature_files)
            writer.finish()
    add_parity(request.form, result.paths, context)
    result.bundle_size = request.form.size_on_disk(layout, result.paths)
    write_export_lock(request.lock, lockfile, refresh=request.refresh)
    for line in content.summary:
        context.note(line)
    return result


def _resolved(
    request: ExportRequest, found_images: FoundImages, registries: Registries, locked: Lockfile | None,
    build: BundleBuild, folder: Path, context: Context,
) -> tuple[ResolvedImages, Collected]:  # fmt: skip
    wanted = (tuple(map(str, request.platforms)), request.sparse)
    if locked is not None and build.resuming and (locked.platforms, locked.sparse) != wanted:
        raise build.other_inputs_error()
    try:
        images = resolve_images(
            found_images, registries, context, platforms=request.platforms, sparse=request.sparse,
            referrers=request.referrers, locked=locked, named=request.named, at_hand=request.at_hand,
        )  # fmt: skip
        verify_images(request.demand, images.plan, images.sources, context)
        where = str(request.lock or request.form.path)
        return images, collect_artifacts(request.artifacts, folder, registries, locked, where, context)
    except UsageError:
        if locked is not None and locked is build.lockfile:
            raise build.other_inputs_error() from None
        raise

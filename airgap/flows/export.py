# SPDX-License-Identifier: Apache-2.0
"""``airgap export``: resolve the images, give every blob its place in the bundle, fetch them, give the file its name.
A run that was stopped is resumed: tags stay at the digests of the first run, and no finished blob is fetched again."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from airgap.bundle import read_base
from airgap.bundle.build import BundleBuild
from airgap.flows.images import FoundImages
from airgap.flows.steps.add_parity import add_parity
from airgap.flows.steps.bundle_contents import gather
from airgap.flows.steps.carried_resources import carried_resources
from airgap.flows.steps.export_artifacts import artifact_folder
from airgap.flows.steps.export_inputs import check_output, check_places, read_export_lock, write_export_lock
from airgap.flows.steps.export_recoding import recoding_folder, with_recoded_layers
from airgap.flows.steps.export_request import Exported, ExportRequest
from airgap.flows.steps.finished_bundle import is_finished
from airgap.flows.steps.make_bundle import lay_out_bundle, write_bundle
from airgap.formatting import human
from airgap.i18n import tr
from airgap.registry import Registries
from airgap.transfer import Context

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
    recode = partial(
        with_recoded_layers, request=request, folder=recoding, base=base, registries=registries, context=context
    )
    base_id = base.id if base else None
    contents = gather(request, found_images, resources, registries, locked, build, folder, base_id, context)
    laid_out = lay_out_bundle(request, contents, base, context, recode)
    inventory, paths = laid_out.inventory, laid_out.paths
    result = Exported(
        laid_out.planned, len(inventory.images), len(inventory.blobs), contents.sizes, 0, paths, contents.failures,
        contents.unresolved,
    )  # fmt: skip
    context.note(tr("bundle size: {total}", total=human(laid_out.layout.total)))
    # What fewer platforms would save of a differential bundle is not what they would save of a whole one.
    if not request.platforms and base is None and (advice := contents.sizes.advice()):
        context.note(advice)
    if request.dry_run:
        write_export_lock(request.lock if request.lock_only else None, contents.lockfile, refresh=request.refresh)
        return result
    if replace or not is_finished(request.form, inventory, laid_out.layout, laid_out.signature_files, paths, context):
        check_places(request.form, paths, replace=replace)
        result.report = write_bundle(build, contents, laid_out, context)
    add_parity(request.form, paths, context)
    result.bundle_size = request.form.size_on_disk(laid_out.layout, paths)
    write_export_lock(request.lock, contents.lockfile, refresh=request.refresh)
    for line in laid_out.content.summary:
        context.note(line)
    return result

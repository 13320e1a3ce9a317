# SPDX-License-Identifier: Apache-2.0
"""``airgap export``: resolve the images, give every blob its place in the bundle, fetch them, give the file its name.
A run that was stopped is resumed: tags stay at the digests of the first run, and no finished blob is fetched again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from airgap.artifacts.collect import Collected
from airgap.artifacts.settings import ArtifactEntry
from airgap.bundle import Extras, Lockfile, OutputFormat, Program, build_layout, read_base
from airgap.bundle.build import BundleBuild
from airgap.bundle.lockfile import create_lockfile
from airgap.bundle.omitted_layers import omit_layers
from airgap.errors import AirgapError, UsageError
from airgap.flows.images import FoundImages
from airgap.flows.steps.carried_resources import carried_resources, skipped_names
from airgap.flows.steps.export_artifacts import artifact_folder, collect_artifacts, plan_artifacts
from airgap.flows.steps.export_inputs import check_output, check_places, read_export_lock, write_export_lock
from airgap.flows.steps.finished_bundle import is_finished
from airgap.flows.steps.resolve import BUNDLE, ResolvedImages, failed_images, resolve_images
from airgap.flows.steps.sign_export import Signing, write_signatures
from airgap.formatting import human
from airgap.i18n import tr
from airgap.oci import Platform
from airgap.records import Record, field
from airgap.registry import Registries
from airgap.store.local.base import LocalImages
from airgap.transfer import Context, CopyOptions, Report, copy
from airgap.transfer.sizes import Sizes, measure


class ExportRequest(Record):
    """What to make. ``program`` is this program, to carry; ``named`` are the registries in airgap.yaml; ``base`` is a
    file that says what the target holds; ``at_hand`` are places to take images from. ``artifacts`` are entries of
    airgap.yaml; with ``only_artifacts`` there is nothing else. ``lock_only`` is a dry run that writes the lock."""

    form: OutputFormat
    platforms: Sequence[Platform] = ()
    lock: Path | None = None
    refresh: bool = False
    restart: bool = False
    carry_resources: bool = True
    referrers: bool = True
    keep_going: bool = False
    dry_run: bool = False
    lock_only: bool = False
    force: bool = False
    program: Program | None = None
    name: str | None = None
    version: str | None = None
    notes: bytes | None = None
    named: Collection[str] = ()
    base: Path | None = None
    at_hand: Sequence[LocalImages] = ()
    signing: Signing = Signing()
    artifacts: Sequence[ArtifactEntry] = ()
    only_artifacts: bool = False


class Exported(Record, frozen=False):
    """``bundle_size`` is in bytes, 0 for a dry run; ``failures`` are the images left out by ``keep_going``."""

    images: int
    blobs: int
    sizes: Sizes
    bundle_size: int = 0
    paths: Sequence[Path] = ()
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    report: Report | None = None
    artifacts: int = 0


def export(request: ExportRequest, found_images: FoundImages, registries: Registries, context: Context) -> Exported:
    """Make the bundle. Failures while planning are collected and raised together; then nothing is left behind."""
    how = {"refresh": request.refresh, "restart": request.restart, "dry_run": request.dry_run}
    with (
        BundleBuild.open(request.form, **how, emit=context.emit) as build,
        artifact_folder(request.form, request.artifacts, temporary=request.dry_run, restart=request.restart) as folder,
    ):
        return _export(request, found_images, registries, build, folder, context)


def _export(
    request: ExportRequest, found_images: FoundImages, registries: Registries, build: BundleBuild, folder: Path,
    context: Context,
) -> Exported:  # fmt: skip
    base = read_base(request.base) if request.base else None
    replace = request.force or build.resuming
    check_output(request.form, found_images, request.signing, replace or request.dry_run)
    resources = carried_resources(found_images, context.emit) if request.carry_resources else []
    locked = read_export_lock(
        request.lock, request.form, request.platforms, base.id if base else None,
        None if request.only_artifacts else resources, refresh=request.refresh,
    ) or build.lockfile  # fmt: skip
    found_images.emit_messages(context.emit)
    resolved, collected = _resolved(request, found_images, registries, locked, build, folder, context)
    planned = resolved.plan
    failures = failed_images(planned, context.emit, keep_going=request.keep_going)
    lockfile = create_lockfile(request.platforms, planned, resources, base.id if base else None)
    sizes = measure(planned)
    artifacts = plan_artifacts(collected, planned, resolved.sources, lockfile)
    omitted = omit_layers(planned, base, context.emit, [artifact.descriptor.digest for artifact in artifacts])
    carried = (resources, request.program, request.name, request.version, request.notes, skipped_names(found_images))
    inventory, layout = build_layout(planned, Extras(*carried, artifacts), omitted.requires, omitted.bases)
    layout, signature_files = request.signing.sign(request.form, inventory, layout)
    result = Exported(
        len(inventory.images), len(inventory.blobs), sizes, 0, request.form.output_paths(layout), failures,
        resolved.unresolved, artifacts=len(artifacts),
    )  # fmt: skip
    context.note(tr("bundle size: {total}", total=human(layout.total)))
    # What fewer platforms would save of a differential bundle is not what they would save of a whole one.
    if not request.platforms and base is None and (advice := sizes.advice()):
        context.note(advice)
    if request.dry_run:
        write_export_lock(request.lock if request.lock_only else None, lockfile, refresh=request.refresh)
        return result
    if replace or not is_finished(request.form, inventory, layout, signature_files, result.paths, context):
        check_places(result.paths, replace=replace)
        with build.writer(planned, inventory, layout, lockfile) as writer:
            result.report = copy(
                planned, build.with_leftovers(planned, resolved.sources), {BUNDLE: writer}, context,
                CopyOptions(verb="fetched", order=layout.blobs if writer.ordered else None),
            )  # fmt: skip
            write_signatures(signature_files)
            writer.finish()
    result.bundle_size = sum(path.stat().st_size for path in result.paths) or layout.total
    write_export_lock(request.lock, lockfile, refresh=request.refresh)
    return result


def _resolved(
    request: ExportRequest, found_images: FoundImages, registries: Registries, locked: Lockfile | None,
    build: BundleBuild, folder: Path, context: Context,
) -> tuple[ResolvedImages, Collected]:  # fmt: skip
    if locked is not None and build.resuming and locked.platforms != tuple(map(str, request.platforms)):
        raise build.other_inputs_error()
    try:
        images = resolve_images(
            found_images, registries, context, platforms=request.platforms, referrers=request.referrers,
            locked=locked, named=request.named, at_hand=request.at_hand,
        )  # fmt: skip
        where = str(request.lock or request.form.path)
        return images, collect_artifacts(request.artifacts, folder, registries, locked, where, context)
    except UsageError:
        if locked is not None and locked is build.lockfile:
            raise build.other_inputs_error() from None
        raise

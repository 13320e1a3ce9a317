# SPDX-License-Identifier: Apache-2.0
"""``airgap release``: one folder with all that a version needs to cross, made by the steps of an export.

Everything is resolved once. The full bundle is fetched, and the bundles for sites that have an earlier release are
copied from it. A run that was stopped is resumed; the folder gets its name when all files are in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from airgap.bundle import Lockfile, Resource
from airgap.bundle.build import BundleBuild
from airgap.errors import OutputError
from airgap.flows.images import FoundImages
from airgap.flows.steps.bundle_contents import gather
from airgap.flows.steps.carried_resources import carried_resources
from airgap.flows.steps.export_artifacts import artifact_folder
from airgap.flows.steps.export_inputs import read_export_lock
from airgap.flows.steps.release_bundles import PlannedRelease, are_in, lay_out_release, write_release
from airgap.flows.steps.release_files import WrittenRelease
from airgap.flows.steps.release_notes import ReleaseNotes
from airgap.flows.steps.release_request import MOST_BASES, Released, ReleaseRequest
from airgap.i18n import tr
from airgap.records import replace
from airgap.registry import Registries
from airgap.release import packages
from airgap.release.document import Release
from airgap.release.remembered import check_bases, newest_first
from airgap.transfer import Context, Report

__all__ = ["ReleaseRequest", "Released", "release"]


def release(request: ReleaseRequest, found_images: FoundImages, registries: Registries, context: Context) -> Released:
    """Make the release, or go on with what a stopped run left of it. Failures while planning are raised together."""
    folder, remembered, export = request.folder, request.remembered, request.export
    folder.check()
    past = remembered.before(request.version, MOST_BASES)
    bases = newest_first([remembered.find(name) for name in request.since]) if request.since else past
    check_bases(bases, request.version)
    previous = next(iter(past or bases), None)
    with nullcontext() if export.dry_run else folder.run(restart=export.restart):
        how = {"refresh": export.refresh, "restart": export.restart, "dry_run": export.dry_run}
        report: Report | None = None
        with (
            BundleBuild.open(export.form, **how, emit=context.emit) as build,
            artifact_folder(export.form, export.artifacts, temporary=export.dry_run, restart=export.restart) as place,
        ):
            resources = carried_resources(found_images, context.emit) if export.carry_resources else []
            locked = _read_lock(request, resources)
            found_images.emit_messages(context.emit)
            contents = gather(export, found_images, resources, registries, locked, build, place, None, context)
            notes = ReleaseNotes(request, contents, previous, context) if previous and export.notes is None else None
            if notes is not None:
                request = replace(request, export=replace(export, notes=notes.to_carry()))
            planned = lay_out_release(request, contents, bases, context)
            result = Released(folder.path, [one.entry for one in planned])
            if export.dry_run:
                return result
            made = _whole(request, planned, context)
            if made is None:
                _write_lock(request, contents.lockfile)
                report = write_release(build, planned, context)
        if made is None:
            written = WrittenRelease(request, context)
            for one in planned:
                written.add_bundle(one, previous)
            written.add_notes(notes, request.export.notes)
            made, names = written.finish()
            remembered.write(remembered.packages(request.version), packages.to_bytes(written.packages))
            remembered.write(remembered.bundle_json(request.version), planned[0].laid_out.inventory.to_bytes())
            folder.finish(names)
    return Released(folder.path, made.bundles, made, report)


def _read_lock(request: ReleaseRequest, resources: Sequence[Resource]) -> Lockfile | None:
    export, lock = request.export, request.lock
    if export.refresh or not lock.exists():
        return None
    return read_export_lock(lock, export.form, export.platforms, None, resources, refresh=False)


def _write_lock(request: ReleaseRequest, lockfile: Lockfile) -> None:
    """Before the first byte, so that a run which goes on resolves nothing again."""
    if request.export.refresh or not request.lock.exists():
        request.remembered.write(request.lock, lockfile.to_bytes())


def _whole(request: ReleaseRequest, planned: Sequence[PlannedRelease], context: Context) -> Release | None:
    """Return the release in the folder if it is this one, whole; ``None`` where it is to be made.

    Raises :class:`OutputError` where another one is there, or was made under this version, unless it may be replaced.
    """
    entries = [one.entry for one in planned]
    folder, force = request.folder, request.export.force
    known = request.remembered.bundle_json(request.version)
    if folder.path.exists():
        names = [name for entry in entries for name in entry.files]
        found = folder.whole_release(context, names) if are_in(folder.path, planned, context) else None
        if found is not None and [replace(bundle, dossier=()) for bundle in found.bundles] == entries:
            if not known.exists():
                request.remembered.write(known, planned[0].laid_out.inventory.to_bytes())
            return found
        if not force:
            raise OutputError(
                tr("another release of this version is already there, or a part of it"),
                where=str(folder.path),
                hint=tr("choose another VERSION; --force replaces it"),
            )
    if not force and known.exists() and request.remembered.find(request.version).site.id != entries[0].id:
        raise OutputError(
            tr("this version was released with other content"),
            where=str(known),
            hint=tr("choose another VERSION; --force replaces what is remembered"),
        )
    return None

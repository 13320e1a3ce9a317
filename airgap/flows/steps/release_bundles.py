# SPDX-License-Identifier: Apache-2.0
"""The bundles of a release: all are laid out before a byte is written, and all but the full one are copied from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import open_bundle, read_base
from airgap.bundle.build import BundleBuild
from airgap.events import Noted
from airgap.flows.steps.add_parity import add_parity
from airgap.flows.steps.bundle_contents import BundleContents
from airgap.flows.steps.export_request import ExportRequest
from airgap.flows.steps.finished_bundle import is_finished
from airgap.flows.steps.make_bundle import LaidOutBundle, lay_out_bundle, write_bundle
from airgap.flows.steps.release_request import ReleaseRequest
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.records import Record, replace
from airgap.release.document import ReleaseBundle
from airgap.release.remembered import PastRelease
from airgap.store.protocols import Source
from airgap.transfer import Context, Report


class PlannedRelease(Record):
    """A bundle of a release before it is written. ``contents`` has a plan of its own."""

    request: ExportRequest
    contents: BundleContents
    laid_out: LaidOutBundle
    since: PastRelease | None = None

    @property
    def entry(self) -> ReleaseBundle:
        """The bundle as ``release.json`` lists it, without its dossier."""
        return ReleaseBundle(
            digests.encoded(self.laid_out.planned.root),
            self.laid_out.layout.total,
            tuple(path.name for path in self.laid_out.paths),
            tuple(path.name for path in self.request.form.parity_paths),
            (),
            self.since.site if self.since else None,
        )

    def copied_from(self, source: Source) -> PlannedRelease:
        """Return the same with all of its blobs in ``source``."""
        content = self.laid_out.content
        content = replace(content, sources=dict.fromkeys(content.sources, source))
        return replace(self, laid_out=replace(self.laid_out, content=content))


def lay_out_release(
    request: ReleaseRequest, contents: BundleContents, bases: Sequence[PastRelease], context: Context
) -> list[PlannedRelease]:
    """Give every byte of every bundle its place, the full one first.

    A release that has no layer of this one gets no differential bundle: it would be the full one.
    """
    planned = []
    for base in bases:
        export = request.differential(base.site, base.path)
        own = replace(contents, plan=contents.plan.subset(contents.plan.images))
        laid_out = lay_out_bundle(export, own, read_base(base.path), context)
        if laid_out.inventory.requires:
            planned.append(PlannedRelease(export, own, laid_out, base))
        else:
            context.emit(Noted(tr("{title} has nothing of it: a site needs the full bundle", title=base.title)))
    full = PlannedRelease(request.export, contents, lay_out_bundle(request.export, contents, None, context))
    return [full, *planned]


def write_release(build: BundleBuild, planned: Sequence[PlannedRelease], context: Context) -> Report | None:
    """Write the bundles: the full one from the network, by ``build``, the others from the full one.

    What an earlier run has finished is verified and kept. Returns the report of what was fetched.
    """
    full, *differentials = planned
    report = _write(build, full, context)
    if differentials:
        with open_bundle(full.laid_out.paths[0]) as source:
            for one in differentials:
                export = one.request
                how = {"refresh": export.refresh, "restart": export.restart, "dry_run": False}
                with BundleBuild.open(export.form, **how, emit=context.emit) as own_build:
                    _write(own_build, one.copied_from(source), context)
    return report


def _write(build: BundleBuild, planned: PlannedRelease, context: Context) -> Report | None:
    laid_out, form, report = planned.laid_out, planned.request.form, None
    files = (laid_out.signature_files, laid_out.paths)
    if not is_finished(form, laid_out.inventory, laid_out.layout, *files, context):
        report = write_bundle(build, planned.contents, laid_out, context)
    add_parity(form, laid_out.paths, context)
    return report


def are_in(folder: Path, planned: Sequence[PlannedRelease], context: Context) -> bool:
    """Whether ``folder`` has exactly these bundles. Reads all of them."""
    for one in planned:
        form = replace(one.request.form, path=folder / one.request.form.path.name)
        paths = [folder / path.name for path in one.laid_out.paths]
        if not is_finished(form, one.laid_out.inventory, one.laid_out.layout, (), paths, context):
            return False
    return True

# SPDX-License-Identifier: Apache-2.0
"""One bundle of what was gathered: first every byte gets its place, then the blobs are copied there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from airgap.bundle import Base, Extras, Inventory, build_layout
from airgap.bundle.build import BundleBuild
from airgap.bundle.omitted_layers import omit_layers
from airgap.bundle.tar import TarLayout
from airgap.dossier.planned import PlannedBundle
from airgap.flows.steps.bundle_contents import BundleContents
from airgap.flows.steps.export_request import ExportRequest
from airgap.flows.steps.resolve import BUNDLE
from airgap.flows.steps.sign_export import SignatureFiles, write_signatures
from airgap.records import Record
from airgap.store.protocols import Source
from airgap.transfer import Context, CopyOptions, Plan, Report, copy


class LaidOutContent(Record):
    """The blobs of a bundle by their plan and sources, and where they lie. ``summary`` are lines for its end."""

    plan: Plan
    sources: Mapping[str, Source]
    inventory: Inventory
    layout: TarLayout
    summary: tuple[str, ...] = ()


class LaidOutBundle(Record):
    """A bundle before it is written. ``signature_files`` are those of signatures that it cannot hold; ``layout`` has
    the others, which that of ``content`` lacks."""

    content: LaidOutContent
    inventory: Inventory
    layout: TarLayout
    signature_files: SignatureFiles
    paths: Sequence[Path]
    planned: PlannedBundle


def lay_out_bundle(
    request: ExportRequest, contents: BundleContents, base: Base | None, context: Context,
    recode: Callable[[LaidOutContent], LaidOutContent] | None = None,
) -> LaidOutBundle:  # fmt: skip
    """Give every byte its place, and sign. The layers that ``base`` has are removed from the plan.

    ``recode`` may put others in the place of layers.
    """
    plan, resources = contents.plan, contents.resources
    omitted = omit_layers(plan, base, context.emit, [artifact.descriptor.digest for artifact in contents.artifacts])
    extras = Extras(
        resources, request.program, request.name, request.version, request.notes, contents.skipped, contents.artifacts,
        request.attached,
    )  # fmt: skip
    content = LaidOutContent(
        plan, contents.sources, *build_layout(plan, extras, omitted.requires, omitted.bases)
    )  # fmt: skip
    content = recode(content) if recode is not None else content
    inventory = content.inventory
    request.form.check_layout(content.layout, inventory)
    layout, signature_files = request.signing.sign(request.form, inventory, content.layout)
    paths = request.form.output_paths(layout)
    planned = PlannedBundle(
        inventory, layout.total, paths, plan, contents.sources, resources, request.notes or b"", request.attached
    )
    return LaidOutBundle(content, inventory, layout, signature_files, paths, planned)


def write_bundle(build: BundleBuild, contents: BundleContents, laid_out: LaidOutBundle, context: Context) -> Report:
    """Copy the blobs to their places and give the bundle its name, with the signatures beside it."""
    plan, layout = laid_out.content.plan, laid_out.layout
    with build.writer(plan, laid_out.inventory, layout, contents.lockfile) as writer:
        report = copy(
            plan, build.with_leftovers(plan, laid_out.content.sources), {BUNDLE: writer}, context,
            CopyOptions(verb="fetched", order=layout.blobs if writer.ordered else None),
        )  # fmt: skip
        write_signatures(laid_out.signature_files)
        writer.finish()
    return report

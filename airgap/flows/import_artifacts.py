# SPDX-License-Identifier: Apache-2.0
"""``airgap import --only-artifacts``: check the repositories, upload what is missing, ask for it, write a receipt."""

from __future__ import annotations

from pathlib import Path

from airgap.artifacts.publish.opening import Opener
from airgap.artifacts.publish.publication import Publication, prepare
from airgap.bundle import BundleReader, Receipt
from airgap.durable import output
from airgap.errors import AirgapError, UsageError
from airgap.flows.steps.recorded_import import NO_HISTORY, History
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.targets.import_plan import BUNDLE
from airgap.targets.import_receipt import check_receipt, own_origin
from airgap.transfer import Context, CopyOptions, Plan, Report, copy


class ArtifactImportRequest(Record):
    """Where the receipt goes; ``BUNDLE.artifacts.receipt.json`` in the working folder without one."""

    bundle_name: str = "bundle"
    receipt: Path | None = None
    keep_going: bool = False
    dry_run: bool = False
    force: bool = False


class ArtifactImportResult(Record, frozen=False):
    """``failures`` are the artifacts left out by ``keep_going``, by their labels."""

    publication: Publication
    receipt: Path
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)
    report: Report | None = None


def import_artifacts(
    request: ArtifactImportRequest, bundle: BundleReader, opener: Opener, context: Context,
    history: History = NO_HISTORY,
) -> ArtifactImportResult:  # fmt: skip
    """Put the bundle's artifacts into their repositories.

    Raises :class:`UsageError` for a bundle without artifacts, before anything is sent what
    :func:`airgap.artifacts.publish.publication.prepare` raises, and what uploads raise.
    """
    if not bundle.inventory.artifacts:
        raise UsageError(tr("this bundle has no artifacts"), where=str(bundle), hint=tr("leave --only-artifacts out"))
    receipt = request.receipt or Path(f"{request.bundle_name}.artifacts.receipt.json")
    check_receipt(receipt, receipt.parent, (), force=request.force)
    publication = prepare(bundle, opener, context)
    result = ArtifactImportResult(publication, receipt)
    if request.dry_run:
        return result
    planned = Plan()
    stores = publication.add_to(planned, BUNDLE)
    order = bundle.inventory.blobs if bundle.ordered else None
    options = CopyOptions(keep_going=request.keep_going, order=order)
    with history.recording(bundle, ", ".join(str(part.repository) for part in publication.formats)) as record:
        result.report = copy(planned, {BUNDLE: bundle}, stores, context, options)
        bundle.drain()
        result.failures = [(root.label, error) for root, error in result.report.failures]
        failed = {label for label, _ in result.failures}
        publication.finish(failed, context)
        bases = (*bundle.inventory.bases, *own_origin(bundle))
        artifacts = publication.receipt(failed)
        record.fill((), artifacts, failed)
        content = Receipt("", bundle.id, (), {}, {}, bases, artifacts).to_bytes()
        output.write_files(receipt.parent, [(receipt.name, content)])
    return result

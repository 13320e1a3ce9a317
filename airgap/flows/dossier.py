# SPDX-License-Identifier: Apache-2.0
"""``airgap dossier``: read a bundle, or the plan of one, and write what whoever approves it reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap import kube
from airgap.bundle import BundleReader, Document, read_document
from airgap.dossier.bundle_files import artifact_facts, bundle_facts, release_notes, skipped_files
from airgap.dossier.contents import LayerReader
from airgap.dossier.facts import NOT_READ, Changes, Contents, Dossier, ScanFacts
from airgap.dossier.images import ImageReader
from airgap.dossier.planned import PlannedBundle, PlannedSource
from airgap.dossier.reports import document_facts
from airgap.dossier.scan_facts import found_scan, named_scan
from airgap.dossier.usage import resource_facts, sites_in, uses_of
from airgap.errors import UsageError
from airgap.flows.diff import diff
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.transfer import Context


class DossierRequest(Record):
    """What to say besides the bundle: ``since`` is an earlier bundle or a receipt, ``purpose`` that of airgap.yaml.

    ``rules`` are those by which images were found. ``scan`` is a result of a scan; without one it is looked for in
    ``scan_folders``.
    """

    since: Path | None = None
    purpose: str = ""
    rules: kube.CustomRules = kube.NO_CUSTOM_RULES
    scan: Path | None = None
    scan_folders: Sequence[Path] = ()


def dossier_of(bundle: BundleReader, request: DossierRequest | None = None, context: Context | None = None) -> Dossier:
    """Return the dossier of a bundle in files.

    Raises :class:`airgap.errors.UsageError` for a bundle from a pipe, :class:`airgap.errors.BundleError` and
    :class:`airgap.errors.ContentError` for a damaged one.
    """
    if bundle.is_standard_input:
        raise UsageError(
            tr("a dossier names the files of a bundle, and a pipe has none"), hint=tr("write it into a file first")
        )
    request, inventory = request or DossierRequest(), bundle.inventory
    bundle.check_head()
    changes = _changes(request, Document(str(bundle.path), "bundle", bundle.id, inventory))
    resources = [(resource.name, bundle.member(resource.member)) for resource in inventory.resources]
    uses = uses_of(sites_in(resources, request.rules))
    context = context or Context()
    facts = bundle_facts(bundle, context)
    layers = LayerReader(bundle, context)
    images = ImageReader(inventory, bundle)
    layers.read(images.all_platforms())
    return Dossier(
        facts,
        images.facts(uses, layers.contents),
        artifact_facts(inventory, bundle, where=str(bundle.path)),
        resource_facts(inventory.resources, uses),
        skipped_files(inventory),
        changes,
        release_notes(bundle),
        request.purpose,
        _scan(bundle, request, context),
        [document_facts(one.name, one.sha256, bundle.member(one.member)) for one in inventory.attached],
    )


def planned_dossier(planned: PlannedBundle, name: str, request: DossierRequest, context: Context) -> Dossier:
    """Return the dossier of a bundle that an export has planned and that will be called ``name``: what is in the
    layers is not known yet. Fetches configs."""
    inventory = planned.inventory
    changes = _changes(request, Document(name, "bundle", digests.encoded(planned.root), inventory))
    source = PlannedSource(planned, context)
    uses = uses_of(sites_in([(resource.name, resource.content) for resource in planned.resources], request.rules))
    return Dossier(
        planned.facts(name),
        ImageReader(inventory, source).facts(uses, lambda _: Contents(unread=NOT_READ)),
        artifact_facts(inventory, source, where=name),
        resource_facts(inventory.resources, uses),
        skipped_files(inventory),
        changes,
        planned.notes.decode("utf-8", "replace"),
        request.purpose,
        documents=[
            document_facts(one.name, one.sha256, content)
            for one, (_, content) in zip(inventory.attached, planned.attached, strict=True)
        ],
    )


def _scan(bundle: BundleReader, request: DossierRequest, context: Context) -> ScanFacts | None:
    root = f"sha256:{bundle.id}"
    if request.scan is not None:
        return named_scan(request.scan, root)
    return found_scan((*request.scan_folders, bundle.path.parent), root, context.emit)


def _changes(request: DossierRequest, new: Document) -> Changes | None:
    if request.since is None:
        return None
    old = read_document(request.since)
    comparison = diff(old, new)
    return Changes(
        request.since.name,
        f"sha256:{old.id}",
        [image for image in comparison.images if image.status != "kept"],
        [artifact for artifact in comparison.artifacts if artifact.status != "kept"],
    )

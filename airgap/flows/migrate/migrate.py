# SPDX-License-Identifier: Apache-2.0
"""``airgap migrate``: list the source, compare it with the target, copy what is missing and report the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.errors import NotReady, RegistryError, raise_all
from airgap.events import ImageFailed, Warned
from airgap.flows.migrate.batch_copy import copy_in_batches
from airgap.flows.migrate.comparison import Comparison, compare
from airgap.flows.migrate.journal import MigrationJournal
from airgap.flows.migrate.migration import MigrateRequest, Migration
from airgap.flows.migrate.registry_view import ListableRepository, RegistryView
from airgap.flows.migrate.report import MigrationReport
from airgap.flows.migrate.source_listing import list_source
from airgap.flows.migrate.untagged import find_untagged
from airgap.i18n import tr
from airgap.targets import SupportsCapacity, SupportsUploadProbe, Target
from airgap.targets.findings import raise_or_warn
from airgap.targets.nexus.components import ComponentLister, repository_in, split_address
from airgap.targets.nexus.every_repository import EveryRepository
from airgap.targets.nexus.rest import NexusRest
from airgap.transfer import Context, Report

if TYPE_CHECKING:
    from airgap.registry import Registries


def migrate(
    request: MigrateRequest,
    registries: Registries,
    source: Target,
    target: Target,
    journal: MigrationJournal,
    context: Context,
) -> tuple[MigrationReport, Report]:
    """Make the target have the source's tags; return the result and the copy's numbers.

    ``source`` was signed in to. All tags are compared before the first one is copied. Without ``keep_going`` the
    failures of the comparison are raised then, together.
    """
    raise_or_warn(target.preflight(), context.emit)
    migration = Migration(request, _view(source), _view(target), journal, context)
    listing = list_source(migration, _nexus_of_source(request, registries))
    comparison = compare(migration, listing)
    _check_failures(migration, comparison)
    for tag in comparison.present:
        journal.add_tag(str(tag), tag.digest)
    report = MigrationReport(str(request.source), str(request.target), request.dry_run, listing, comparison)
    report.failures += comparison.failures
    if isinstance(target, SupportsCapacity):
        raise_or_warn(target.check_capacity(_count_new_tags(comparison)), context.emit)
    numbers = Report()
    if request.dry_run:
        report.copied, report.moved = comparison.to_copy, comparison.to_move
    else:
        tags = [*comparison.to_copy, *comparison.to_move]
        if isinstance(target, SupportsUploadProbe) and tags:
            raise_or_warn(target.probe_upload(), context.emit)
        result = copy_in_batches(migration, tags, comparison.referrers)
        to_move = set(comparison.to_move)
        report.copied = [tag for tag in result.tags if tag not in to_move]
        report.moved = [tag for tag in result.tags if tag in to_move]
        report.failures += result.failures
        numbers = result.report
    try:
        report.untagged = find_untagged(migration, listing)
    except RegistryError as error:
        context.emit(Warned(tr("what no tag leads to could not be listed: {error}", error=error)))
    failed_labels = {label for label, _ in report.failures}
    failed_tags = [tag for tag in listing.all_tags if migration.source.tag_label(tag) in failed_labels]
    report.finalize(journal.state, failed_tags)
    return report, numbers


def _count_new_tags(comparison: Comparison) -> int:
    """How many tags the target gets at most: one for each image, and one for the list of its referrers."""
    images = {(tag.repository, tag.digest) for tag in comparison.to_copy}
    lists = [digest for _, digest in images if comparison.referrers.get(digest)]
    return sum(not tag.target_digest for tag in comparison.to_copy) + len(lists)


def _check_failures(migration: Migration, comparison: Comparison) -> None:
    """Raise the comparison's failures, or with ``keep_going`` emit them."""
    if not migration.request.keep_going:
        raise_all([error for _, error in comparison.failures])
    for label, error in comparison.failures:
        migration.context.emit(ImageFailed(label, str(error)))


def _view(target: Target) -> RegistryView:
    # The address by which it is read: it may differ from the one that was given.
    address = target.mapping.address

    def open_repository(name: str) -> ListableRepository:
        store = target.open(name)
        if not isinstance(store, ListableRepository):
            raise NotReady(tr("this registry does not list its tags"), where=str(address))
        return store

    hosted = target.hosted if isinstance(target, EveryRepository) else ()
    return RegistryView(address, open_repository, target.repositories, hosted)


def _nexus_of_source(request: MigrateRequest, registries: Registries) -> ComponentLister | None:
    """The REST API of the source's Nexus, if the user gave its address."""
    if not request.nexus:
        return None
    base_url, repository = split_address(request.nexus)
    repository = repository or repository_in(request.source.prefix)
    return ComponentLister(NexusRest(registries.client_at(request.source.registry, base_url)), repository)

# SPDX-License-Identifier: Apache-2.0
"""``airgap migrate``: list, choose, compare, copy in batches, read back, and tell what is on one side only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.config.state import state_folder
from airgap.errors import NotReady, OutputError, RegistryError, UsageError, raise_all
from airgap.events import ImageFailed, Sink, Warned
from airgap.flows.migrate.batch_copy import Mover
from airgap.flows.migrate.compare import Comparison
from airgap.flows.migrate.journal import MigrationJournal, name_for
from airgap.flows.migrate.listing import listed
from airgap.flows.migrate.registry_view import Listed, Side
from airgap.flows.migrate.report import Account, failed_tags
from airgap.flows.migrate.tag_filter import Choice
from airgap.flows.migrate.untagged import digest_only
from airgap.records import Record, field
from airgap.targets import Target, TargetAddress, Tried
from airgap.targets.findings import heed
from airgap.targets.nexus.components import Components, split_address
from airgap.transfer import Context, Report

if TYPE_CHECKING:
    from airgap.registry import Registries


class MigrateRequest(Record):
    """Which tags, and what may be replaced at the target. ``nexus`` is the source's own Nexus address, or empty."""

    source: TargetAddress
    target: TargetAddress
    choice: Choice = field(default_factory=Choice)
    nexus: str = ""
    delta: bool = False
    overwrite: bool = False
    keep_going: bool = False
    dry_run: bool = False


def migrate(
    request: MigrateRequest, registries: Registries, to: Target, journal: MigrationJournal,
    context: Context,
) -> tuple[Account, Report]:  # fmt: skip
    """Make the target hold the source's tags. All that differs is found, and refused, before anything is pushed."""
    emit = context.emit
    registries.endpoint(request.source.registry).ping()
    heed(to.preflight(), emit)
    source, target = _source(request.source, registries), _target(to)
    components = _components(request, registries)

    listing = listed(source, components, request.choice, context)
    compared = Comparison(source, target, journal, request.choice, request.delta, request.overwrite, context).run(
        listing
    )
    if not request.keep_going:
        raise_all([error for _, error in compared.failures])
    for label, error in compared.failures:
        emit(ImageFailed(label, str(error)))
    for tag in compared.present:
        journal.tag(str(tag), tag.digest)
    account = Account(str(request.source), str(request.target), request.dry_run, listing, compared)
    account.failures += compared.failures
    if request.dry_run:
        account.copied, account.moved, report = compared.todo, compared.moved, Report()
    else:
        if isinstance(to, Tried) and (compared.todo or compared.moved):
            heed(to.begin(), emit)
        mover = Mover(source, target, journal, compared.referrers, request.keep_going, context)
        done = mover.run([*compared.todo, *compared.moved])
        moved = {id(tag) for tag in compared.moved}
        account.copied = [tag for tag in done.tags if id(tag) not in moved]
        account.moved = [tag for tag in done.tags if id(tag) in moved]
        account.failures, report = account.failures + done.failures, done.report
    try:
        account.digest_only = digest_only(source, listing, journal, context)
    except RegistryError as error:
        emit(Warned(f"what no tag leads to could not be listed: {error}"))
    every = [tag for tags in listing.tags.values() for tag in tags.values()]
    account.settle(journal.known, failed_tags(every, account.failures, source.label))
    return account, report


@contextmanager
def kept(request: MigrateRequest, registries: Registries, folder: str | None, emit: Sink) -> Iterator[MigrationJournal]:
    """The journal of this pair of registries, under a lock, and beside it that of uploads which are under way.

    A ``folder`` that was asked for must be writable; without the default one it goes on with a warning. A dry run reads
    the journal and writes nothing.
    """
    from airgap.registry import SessionJournal

    if folder is not None and not folder:
        raise UsageError("--state names no folder")
    source, target = str(request.source), str(request.target)
    place = (Path(folder) if folder else state_folder(os.environ)) / name_for(source, target)
    head = {"source": source, "target": target}
    try:
        journal = MigrationJournal(place.with_suffix(".jsonl"), head, writes=not request.dry_run, emit=emit)
    except OutputError as error:
        if folder:
            raise
        emit(Warned(f"{error}; after a kill more will be asked, and --delta will know of no earlier run"))
        journal = MigrationJournal(None, head)
    sessions = None
    try:
        if journal.path and not request.dry_run:
            here = registries.endpoint(request.target.registry).base_url
            sessions = SessionJournal(place.with_suffix(".uploads"), {**head, "address": here}, emit)
            registries.remember(request.target.registry, sessions)
        yield journal
    except BaseException:
        if sessions is not None:
            sessions.close()
        raise
    else:
        if sessions is not None:
            sessions.close(whole=True)
    finally:
        journal.close()


def _source(address: TargetAddress, registries: Registries) -> Side:
    from airgap.registry.pagination import catalog

    endpoint = registries.endpoint(address.registry)
    return Side(address, lambda name: registries.repository(address.registry, name), lambda: catalog(endpoint))


def _target(target: Target) -> Side:
    # Where images are pushed another way than they are pulled, its names are those of this way.
    address = target.mapping.address

    def open_(name: str) -> Listed:
        store = target.open(name)
        if not isinstance(store, Listed):
            raise NotReady("this target does not list its tags", where=str(address))
        return store

    return Side(address, open_, target.repositories)


def _components(request: MigrateRequest, registries: Registries) -> Components | None:
    if not request.nexus:
        return None
    base, name = split_address(request.nexus)
    return Components(registries.at(request.source.registry, base), name)

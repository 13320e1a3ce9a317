# SPDX-License-Identifier: Apache-2.0
"""``airgap migrate``."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.formatting.printable import printable
from airgap.cli.formatting.summary import finished
from airgap.cli.progress.display import display
from airgap.config import airgap_yaml as project
from airgap.config.connections import connect, source_credential, target_of
from airgap.errors import Incomplete, Interrupted, UsageError
from airgap.events import Noted
from airgap.flows.migrate import report as reports
from airgap.flows.migrate.journals import open_journal
from airgap.flows.migrate.migrate import migrate
from airgap.flows.migrate.migration import MigrateRequest
from airgap.flows.migrate.tag_filter import TagFilter
from airgap.formatting import counted
from airgap.targets import TargetAddress, target_for
from airgap.targets.address import CredentialsInAddress
from airgap.transfer import CancelToken, Context, Jobs


@click.command("migrate")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="Only these: REPOSITORY or REPOSITORY:TAG below SOURCE; * is one or more path elements. Repeatable.",
)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Not these; wins over --include. Repeatable.")
@click.option("--newest", type=click.IntRange(1), metavar="N", help="Only the newest N tags of each repository.")
@click.option("--since", metavar="DATE", help="Only what is of this date or newer, such as 2026-01-31.")
@click.option(
    "--nexus-source",
    metavar="URL",
    default="",
    help="The source is a Nexus with this address of its own: ask its REST API what there is and how old.",
)
@click.option("--delta", is_flag=True, help="A later run: only what has changed since, and tags that moved are moved.")
@click.option("--overwrite", is_flag=True, help="Move tags that the target has with another digest, whoever put them.")
@click.option("--keep-going", is_flag=True, help="Go on when an image fails, and end with exit code 3.")
@click.option("--report", metavar="FILE", help="Write what was done and what is on one side only, as JSON.")
@click.option(
    "--state",
    metavar="DIR",
    help="Where it is noted what was done, for the next run. [default: $XDG_STATE_HOME/airgap]",
)
@click.option(
    "--source-username",
    metavar="NAME",
    help="User at the source, with the password in AIRGAP_SOURCE_PASSWORD; or airgap login.",
)
@click.option("--source-insecure", is_flag=True, help="Trust any certificate of the source.")
@options.dry_run
@options.nexus
@options.target_network
@options.config
@options.jobs
@options.progress
def command(
    source: str,
    target: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    newest: int | None,
    since: str | None,
    nexus_source: str,
    delta: bool,
    overwrite: bool,
    keep_going: bool,
    report: str | None,
    state: str | None,
    source_username: str | None,
    source_insecure: bool,
    dry_run: bool,
    nexus: str,
    access: options.Access,
    config: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Copy one registry into another: the same names and tags, the same digests, no bundle between them.

    Indexes come with their images, images with their signatures. What the target has is not sent again; after a kill
    the same command goes on. Nothing is deleted on either side. What is on one side only is told on standard output.

    \b
    airgap migrate https://old-nexus.corp:8443 http://10.100.0.102:32415 --dry-run
    airgap migrate old.corp:8443 new.corp:8443 --nexus-source https://old.corp --newest 5 --report moved.json
    airgap migrate old.corp:8443 new.corp:8443 --nexus-source https://old.corp --delta
    """
    started = time.monotonic()
    tag_filter = TagFilter.parse(include, exclude, newest or 0, since)
    read = project.load(config)
    here, goal = _source(source), target_of(read, target, None)
    network = access.network(goal.address.registry)
    network = network.with_source(here, source_credential(os.environ, source_username), insecure=source_insecure)
    place = Path(report) if report else None
    if place is not None:
        reports.check_output(place)
    request = MigrateRequest(here, goal.address, tag_filter, nexus_source, delta, overwrite, keep_going, dry_run)
    with (
        display(progress) as emit,
        connect(read, network, emit, target=goal.address) as registries,
        open_journal(request, registries, state, emit) as journal,
    ):
        try:
            account, done = migrate(
                request, registries, target_for(registries, goal, nexus=nexus, dry_run=dry_run), journal,
                Context(Jobs.of(jobs), emit, CancelToken(registries.abort)),
            )  # fmt: skip
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(
                "stopped; what the target has taken is kept and noted",
                hint="the same command goes on where this one stopped",
            ) from None
        if place is not None:
            reports.write(place, account)
            emit(Noted(f"wrote {place}"))
        text = _summary(account)
        if dry_run:
            emit(Noted(text))
        else:
            emit(finished(text, "sent", len(account.copied) + len(account.moved), done, time.monotonic() - started))
    _table(account)
    if account.failures:
        names = ", ".join(dict.fromkeys(label for label, _ in account.failures))
        raise Incomplete(f"not migrated: {names}", hint="the same command tries these again")


def _source(text: str) -> TargetAddress:
    try:
        return TargetAddress.parse(text)
    except UsageError as error:
        hint = error.hint
        if isinstance(error, CredentialsInAddress):
            hint = "give them by --source-username and AIRGAP_SOURCE_PASSWORD, or sign in once with airgap login"
        raise UsageError(f"SOURCE: {error.what}", hint=hint) from error


def _summary(account: reports.MigrationReport) -> str:
    would = "would be " if account.dry_run else ""
    said = f"{account.target}: {counted(len(account.copied), 'tag')} {would}copied"
    if account.moved:
        said += f", {len(account.moved)} {would}moved"
    said += f", {len(account.comparison.present)} already there"
    if account.comparison.excluded:
        said += f", {len(account.comparison.excluded)} left out"
    return said + (f", {len(account.failures)} failed" if account.failures else "")


#: Names of one repository and reason that the table shows before it only counts.
_SHOWN = 3


def _table(account: reports.MigrationReport) -> None:
    """What is on one side only, a line for each repository and reason; the report has every name."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in account.one_sided:
        separator = "@" if "@" in one.name else ":"
        repository, _, name = one.name.partition(separator)
        groups.setdefault((one.side, repository, one.reason), []).append(name[:19] if separator == "@" else name)
    if not groups:
        return
    counts = Counter(one.side for one in account.one_sided)
    click.echo(f"only at the source: {counts['source']}, only at the target: {counts['target']}")
    rows = []
    for (where, repository, why), names in sorted(groups.items()):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        rows.append((where, repository, ", ".join(names[:_SHOWN]) + more, why))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        click.echo(printable("  ".join([*cells, row[3]]).rstrip()))

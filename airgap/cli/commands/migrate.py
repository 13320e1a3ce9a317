# SPDX-License-Identifier: Apache-2.0
"""``airgap migrate``."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.formatting.columns import display_width, left
from airgap.cli.formatting.summary import finished_event
from airgap.cli.printing import say
from airgap.cli.progress.display import open_display
from airgap.cli.prompts import password_prompt
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import open_registries, source_credential, target_mapping
from airgap.errors import Incomplete, Interrupted, UsageError
from airgap.events import Noted
from airgap.flows.migrate import report as reports
from airgap.flows.migrate.journals import open_journal
from airgap.flows.migrate.migrate import migrate
from airgap.flows.migrate.migration import MigrateRequest
from airgap.flows.migrate.tag_filter import TagFilter
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.targets import TargetAddress, open_source, target_for
from airgap.targets.address import CredentialsInAddress
from airgap.transfer import CancelToken, Context, Jobs


@click.command("migrate")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help=tr("Copy only these: REPOSITORY or REPOSITORY:TAG below SOURCE; * is one or more path elements. Repeatable."),
)
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help=tr("Do not copy these, even if --include matches. Repeatable.")
)
@click.option(
    "--newest", type=click.IntRange(1), metavar="N", help=tr("Copy only the newest N tags of each repository.")
)
@click.option("--since", metavar="DATE", help=tr("Copy only what is of this date or newer, such as 2026-01-31."))
@click.option(
    "--nexus-source",
    metavar="URL",
    default="",
    help=tr("Address of the source's Nexus itself: list images and dates by its REST API."),
)
@click.option(
    "--delta", is_flag=True, help=tr("Copy only what has changed since an earlier run, and move tags that have moved.")
)
@click.option("--overwrite", is_flag=True, help=tr("Replace tags that exist at the target with another digest."))
@click.option("--keep-going", is_flag=True, help=tr("Continue when an image fails, and end with exit code 3."))
@click.option(
    "--report", metavar="FILE", help=tr("Write a JSON report of what was copied and what is on one side only.")
)
@click.option(
    "--state",
    metavar="DIR",
    help=tr("Folder for the record of earlier runs. [default: $XDG_STATE_HOME/airgap]"),
)
@click.option(
    "--source-username",
    metavar="NAME",
    help=tr("User at the source; the password is in AIRGAP_SOURCE_PASSWORD. [default: airgap login]"),
)
@click.option("--source-insecure", is_flag=True, help=tr("Do not verify the source's certificate."))
@options.dry_run
@options.nexus
@options.target_options
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
    connection: options.TargetConnection,
    config: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Copy one registry into another, without a bundle, with the same names, tags and digests.

    Copies indexes with their images, and images with their signatures. Skips what the target already has; run the same
    command again to continue an interrupted run. Deletes nothing. Lists on standard output what is on one side only.

    \b
    airgap migrate https://old-nexus.corp:8443 http://10.100.0.102:32415 --dry-run
    airgap migrate old.corp:8443 new.corp:8443 --nexus-source https://old.corp --newest 5 --report moved.json
    airgap migrate old.corp:8443 new.corp:8443 --nexus-source https://old.corp --delta
    """
    start = time.monotonic()
    tag_filter = TagFilter.parse(include, exclude, newest or 0, since)
    project = load_project(config)
    source_address, mapping = (
        _parse_source(source),
        target_mapping(project, target, None, plain_http=connection.plain_http),
    )
    connection_options = connection.options(mapping.address.registry)
    connection_options = connection_options.with_source(
        source_address,
        source_credential(os.environ, source_username, source_address, ask=password_prompt()),
        insecure=source_insecure,
    )
    report_path = Path(report) if report else None
    if report_path is not None:
        reports.check_output(report_path)
    request = MigrateRequest(
        source_address, mapping.address, tag_filter, nexus_source, delta, overwrite, keep_going, dry_run
    )
    with (
        open_display(progress) as emit,
        open_registries(project, connection_options, emit, target=mapping.address) as registries,
        open_journal(request, registries, state, emit) as journal,
    ):
        try:
            migration_report, copy_report = migrate(
                request,
                registries,
                open_source(registries, source_address, emit),
                target_for(registries, mapping, nexus=nexus, dry_run=dry_run),
                journal,
                Context(Jobs.of(jobs), emit, CancelToken(registries.abort)),
            )
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(tr("stopped; what the target has taken is kept and noted"), again=True) from None
        if report_path is not None:
            reports.write(report_path, migration_report)
            emit(Noted(tr("wrote {report_path}", report_path=report_path)))
        text = _summary_text(migration_report)
        if dry_run:
            emit(Noted(text))
        else:
            images = len(migration_report.copied) + len(migration_report.moved)
            emit(finished_event(text, "sent", images, copy_report, time.monotonic() - start))
    _print_one_sided(migration_report)
    if migration_report.failures:
        names = ", ".join(dict.fromkeys(label for label, _ in migration_report.failures))
        raise Incomplete(tr("not migrated: {names}", names=names), again=True)


def _parse_source(text: str) -> TargetAddress:
    try:
        return TargetAddress.parse(text)
    except UsageError as error:
        hint = error.hint
        if isinstance(error, CredentialsInAddress):
            host = error.address
            hint = tr(
                "give them by --source-username and AIRGAP_SOURCE_PASSWORD, or sign in once: airgap login {host}",
                host=host,
            )
        raise UsageError(tr("SOURCE: {what}", what=error.what), hint=hint) from error


def _summary_text(report: reports.MigrationReport) -> str:
    tags, moved = counted(len(report.copied), "tag"), len(report.moved)
    if report.dry_run:
        text = tr("{target}: {tags} would be copied", target=report.target, tags=tags)
        text += tr(", {moved} would be moved", moved=moved) if moved else ""
    else:
        text = tr("{target}: {tags} copied", target=report.target, tags=tags)
        text += tr(", {moved} moved", moved=moved) if moved else ""
    text += tr(", {present_count} already there", present_count=len(report.comparison.present))
    if report.comparison.excluded:
        text += tr(", {excluded_count} left out", excluded_count=len(report.comparison.excluded))
    return text + (tr(", {failed} failed", failed=len(report.failures)) if report.failures else "")


#: The most names that the table shows for one repository and reason. It counts the rest.
_MAX_NAMES = 3


def _print_one_sided(report: reports.MigrationReport) -> None:
    """Print the names on one side only, a line for each repository and reason. The report has every name."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for entry in report.one_sided:
        separator = "@" if "@" in entry.name else ":"
        repository, _, name = entry.name.partition(separator)
        groups.setdefault((entry.side, repository, entry.reason), []).append(name[:19] if separator == "@" else name)
    if not groups:
        return
    counts = Counter(entry.side for entry in report.one_sided)
    say(
        tr(
            "only at the source: {at_source}, only at the target: {at_target}",
            at_source=counts["source"],
            at_target=counts["target"],
        )
    )
    rows = []
    for (side, repository, reason), names in sorted(groups.items()):
        more = tr(" and {names_count} more", names_count=len(names) - _MAX_NAMES) if len(names) > _MAX_NAMES else ""
        rows.append((side, repository, ", ".join(names[:_MAX_NAMES]) + more, reason))
    widths = [max(display_width(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [left(text, columns) for text, columns in zip(row, widths, strict=False)]
        say("  ".join([*cells, row[3]]).rstrip())

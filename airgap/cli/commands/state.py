# SPDX-License-Identifier: Apache-2.0
"""``airgap state``."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.printing import note, say, say_json
from airgap.config.state import state_folder
from airgap.errors import UsageError
from airgap.flows.state import StateFile, clean_state, list_state
from airgap.formatting import human
from airgap.i18n import plural, tr


@click.command("state")
@click.argument("action", type=click.Choice(["list", "clean"]), default="list", metavar="[list|clean]")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--migrations", is_flag=True, help=tr("Remove the records of migrations too, which --delta reads."))
@click.option("--state", metavar="DIR", help=tr("The folder. [default: $XDG_STATE_HOME/airgap]"))
@options.as_json
@options.dry_run
def command(
    action: str, names: tuple[str, ...], migrations: bool, state: str | None, as_json: bool, dry_run: bool
) -> None:
    """List or remove what earlier runs of import and migrate left for their next run.

    An import that was stopped leaves the addresses of its unfinished uploads, a migration its record. clean removes the
    unfinished uploads, or the files that NAME says; the next import then sends those blobs from their start. A file of
    a running airgap stays. The registry removes half-sent blobs itself.

    \b
    airgap state
    airgap state clean --dry-run
    """
    folder = Path(state) if state else state_folder(os.environ)
    if action == "list":
        if names or migrations or dry_run:
            raise UsageError(tr("list takes no names, --migrations or --dry-run"), hint=tr("airgap state clean …"))
        files = list_state(folder)
        if as_json:
            say_json([file.to_json() for file in files])
            return
        for file in files:
            say(file.path.name)
            say(f"  {_describe(file)}")
        if not files:
            note(tr("{folder}: nothing is left there", folder=folder))
        return
    if as_json:
        raise UsageError(tr("--json goes with list"))
    if names and migrations:
        raise UsageError(tr("either NAME or --migrations says what goes"))
    removed, kept = clean_state(folder, names, migrations=migrations, dry_run=dry_run)
    for file in removed:
        text = tr("would remove {name}", name=file.path.name) if dry_run else tr("removed {name}", name=file.path.name)
        note(text)
        note(f"  {_describe(file)}")
    for file in kept:
        note(tr("kept {name}: a running airgap has it open", name=file.path.name))
    if not removed and not kept:
        note(tr("{folder}: nothing to remove", folder=folder))


def _describe(file: StateFile) -> str:
    """One line: what it is for, what it holds, its size and time."""
    if file.path.name.startswith("import-"):
        what = tr("import of bundle {bundle} to {target}", bundle=file.source[:12], target=file.target)
    else:
        what = tr("migration from {source} to {target}", source=file.source, target=file.target)
    if file.kind == "uploads":
        entries = plural("{number} unfinished upload", "{number} unfinished uploads", file.entries)
    else:
        entries = plural("{number} tag copied", "{number} tags copied", file.entries)
    parts = [what, *([tr("shard {shard}", shard=file.shard)] if file.shard else []), entries]
    parts += [human(file.size), time.strftime("%Y-%m-%d %H:%M", time.localtime(file.modified))]
    parts += [tr("in use")] if file.in_use else []
    return ", ".join(parts)

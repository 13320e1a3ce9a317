# SPDX-License-Identifier: Apache-2.0
"""``airgap history``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from airgap.cli import options
from airgap.cli.printing import Styled, note, say, say_json
from airgap.config.state import state_folder
from airgap.dossier.history import PRUNE
from airgap.errors import UsageError
from airgap.flows.history import read_history
from airgap.formatting import counted
from airgap.i18n import tr


@click.command("history")
@click.option("--verify", is_flag=True, help=tr("Only check that no line was changed, removed or added."))
@click.option(
    "--contains", metavar="HASH", help=tr("With --verify: this line, whose hash you kept, must be there unchanged.")
)
@options.as_json
def command(verify: bool, contains: str | None, as_json: bool) -> None:
    """List what was imported on this machine: when, by whom, to where, with whose approval.

    The history is in $XDG_STATE_HOME/airgap/history.jsonl. Each line holds the hash of the one before, so that a change
    is noticed, which ends with exit code 43. Keep the last hash elsewhere: whoever can write the file could make all of
    it anew.

    \b
    airgap history
    airgap history --json | jq -r '.[].bundle.root'
    airgap history --verify
    """
    if contains and not verify:
        raise UsageError(tr("--contains goes with --verify"))
    entries = read_history(state_folder(os.environ), contains)
    if verify:
        last = entries[-1].hash if entries else ""
        if as_json:
            say_json({"entries": len(entries), "last": last or None})
            return
        note(
            tr("{entries}, none changed; the last is {hash}", entries=counted(len(entries), "import"), hash=last or "-")
        )
        return
    if as_json:
        say_json([{**entry.document} for entry in entries])
        return
    if not entries:
        note(tr("nothing was imported on this machine yet"))
    for entry in entries:
        _say(entry.document)


def _say(document: Mapping[str, Any]) -> None:
    if document.get("action") == PRUNE:
        _say_prune(document)
        return
    bundle = document["bundle"]
    title = " ".join(part for part in (bundle.get("name"), bundle.get("version")) if part) or bundle["file"]
    say(Styled(f"{document['number']}  {document['time']}  {document['user']}", bold=True))
    say(f"  {title}  {bundle['root']}")
    outcome = _outcome(document)
    contents = [counted(len(document["images"]), "image")] if document["images"] else []
    contents += [counted(len(document["artifacts"]), "artifact")] if document["artifacts"] else []
    said = tr("to {target}: {outcome}", target=document["target"], outcome=outcome)
    say("  " + ", ".join([said, *contents]))
    approval = document.get("approval")
    if approval:
        say("  " + tr("approved by {signers}", signers=", ".join(signer["signer"] for signer in approval["signers"])))
    else:
        say("  " + tr("without an approval"))


def _say_prune(document: Mapping[str, Any]) -> None:
    """What was deleted: ``images`` and ``artifacts`` are those that are gone."""
    say(Styled(f"{document['number']}  {document['time']}  {document['user']}", bold=True))
    gone = [counted(len(document["images"]), "image")] if document["images"] else []
    gone += [counted(len(document["artifacts"]), "artifact")] if document["artifacts"] else []
    said = tr("deleted at {target}: {outcome}", target=document["target"], outcome=_outcome(document))
    say("  " + ", ".join([said, *gone]))
    say("  " + tr("kept: {names}", names=", ".join(document["kept"])))


def _outcome(document: Mapping[str, Any]) -> str:
    outcomes = {"complete": tr("complete"), "incomplete": tr("incomplete"), "stopped": tr("stopped")}
    return outcomes.get(document["outcome"], str(document["outcome"]))

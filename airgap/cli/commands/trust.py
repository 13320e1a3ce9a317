# SPDX-License-Identifier: Apache-2.0
"""``airgap trust``."""

from __future__ import annotations

import click

from airgap.cli import options
from airgap.cli.printing import note, say, say_json
from airgap.cli.trust_options import open_trust_file, trust_file
from airgap.errors import UsageError
from airgap.flows.trust import add_trusted_key
from airgap.i18n import tr
from airgap.trust.trust_file import TrustFile


@click.command("trust")
@click.argument("action", type=click.Choice(["add", "list", "remove"]), metavar="add|list|remove")
@click.argument("key", required=False, metavar="[PUB|NAME]")
@click.option("--name", metavar="NAME", help=tr("With add: what to call the key."))
@options.as_json
@trust_file
def command(action: str, key: str | None, name: str | None, as_json: bool, trust_file: str | None) -> None:
    """Add a public key to those whose signatures are trusted here, list them, or remove one by its name or ID.

    Before you add a key, compare its ID with its owner by another way, such as by telephone. If PUB.minisig is beside
    PUB, a key that is trusted already must have signed the new one.

    \b
    airgap trust add maker.pub --name maker
    airgap trust list
    airgap trust remove maker
    """
    trust = open_trust_file(trust_file, may_be_new=action == "add")
    if action == "list":
        if key or name:
            raise UsageError(tr("airgap trust list takes no key"))
        _print_keys(trust, as_json)
        return
    if not key:
        raise UsageError(tr("which key?"), hint=tr("airgap trust add NAME.pub --name NAME; airgap trust remove NAME"))
    if action == "remove":
        removed = trust.remove(key)
        note(tr("{name} ({id}) is not trusted any more", name=removed.name, id=removed.key.id))
        return
    if not name:
        raise UsageError(tr("what should the key be called?"), hint=tr("add --name NAME"))
    added = add_trusted_key(trust, key, name)
    note(tr("{name} ({id}) is trusted now: {path}", name=name, id=added.key.id, path=trust.path))
    if added.signed_by:
        note(tr("it was signed by {name}", name=added.signed_by))
    else:
        note(tr("compare this ID with the owner of the key, if you have not done so"))


def _print_keys(trust: TrustFile, as_json: bool) -> None:
    keys = trust.trusted_keys()
    if as_json:
        entries = [
            {"name": key.name, "id": key.key.id, "key": key.key.text, "signedBy": key.signed_by or None} for key in keys
        ]
        say_json(entries)
        return
    for key in keys:
        successor = tr(", signed by {name}", name=key.signed_by) if key.signed_by else ""
        say(f"{key.key.id}  {key.name}{successor}")
    if not keys:
        note(tr("no key is trusted: {path}", path=trust.path))

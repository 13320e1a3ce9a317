# SPDX-License-Identifier: Apache-2.0
"""``airgap keygen``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.printing import note
from airgap.cli.prompts import can_ask
from airgap.errors import UsageError
from airgap.flows.trust import make_key
from airgap.formatting import quoted
from airgap.i18n import tr


@click.command("keygen")
@click.option(
    "-o",
    "--output",
    metavar="NAME",
    default="airgap",
    show_default=True,
    help=tr("Write the secret key as NAME.key and the public one as NAME.pub."),
)
@click.option(
    "--no-passphrase", is_flag=True, help=tr("Do not encrypt the secret key. Whoever can read its file can then sign.")
)
@options.force
def command(output: str, no_passphrase: bool, force: bool) -> None:
    """Make a key to sign bundles with, in minisign's format. It asks for a passphrase on a terminal.

    Keep NAME.key to yourself. Give NAME.pub to whoever receives the bundles, and tell them its ID by another way, such
    as by telephone, so that they can compare it.

    \b
    airgap keygen -o maker
    airgap export cert-manager.yaml -o bundle.tar --sign maker.key
    """
    passphrase = "" if no_passphrase else _new_passphrase()
    key = make_key(Path(output), passphrase, force=force)
    note(tr("wrote {name}.key and {name}.pub; the key's ID is {id}", name=output, id=key.id))
    note(tr("next: airgap sign bundle.tar --key {name}.key", name=quoted(output)))


def _new_passphrase() -> str:
    if not can_ask():
        raise UsageError(
            tr("there is no terminal to ask for a passphrase at"),
            hint=tr("airgap keygen --no-passphrase makes a key without one"),
        )
    passphrase: str = click.prompt(tr("Passphrase of the new key"), hide_input=True, confirmation_prompt=True, err=True)
    return passphrase

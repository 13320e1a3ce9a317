# SPDX-License-Identifier: Apache-2.0
"""``airgap approve``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.printing import note
from airgap.cli.trust_options import certificate_sign, read_secret_key
from airgap.flows.approve import approvable, approve
from airgap.flows.sign import key_signer
from airgap.i18n import tr


@click.command("approve")
@click.argument("folder", metavar="DIR")
@click.option(
    "--key", required=True, metavar="KEY", help=tr("The secret key. With --cms, a PEM file or a pkcs11: URI.")
)
@click.option("--cms", "certificate", metavar="PEM", help=tr("Sign with this certificate, as openssl cms does."))
@click.option("--without-scan", is_flag=True, help=tr("Approve a dossier that has no scan, and say so."))
@options.dry_run
def command(folder: str, key: str, certificate: str | None, without_scan: bool, dry_run: bool) -> None:
    """Approve a bundle: sign the JSON document of its dossier, which names it.

    Writes NAME.json.minisig beside it, or NAME.json.p7s with --cms. Refuses a dossier without a scan, and one whose
    scan found something or did not scan everything. DIR is the folder of the dossier, or its JSON document.

    \b
    airgap approve dossier --key office.key
    airgap approve dossier --cms office.pem --key office-key.pem
    """
    path = Path(folder)
    approvable(path, without_scan=without_scan)
    if certificate:
        sign = certificate_sign(certificate, key)
        written, made = approve(path, lambda _: sign, without_scan=without_scan, dry_run=dry_run)
    else:
        secret = read_secret_key(key)
        written, made = approve(
            path, lambda comment: key_signer(secret, comment), without_scan=without_scan, dry_run=dry_run
        )
    if dry_run:
        note(tr("would write {path}", path=written))
    else:
        note(tr("approved by {signer}: {path}", signer=made.signer, path=written))

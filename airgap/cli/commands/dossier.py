# SPDX-License-Identifier: Apache-2.0
"""``airgap dossier``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.printing import note, say_json
from airgap.cli.progress.display import open_display
from airgap.cli.seal_options import identity, unsealer
from airgap.config.airgap_yaml import load_project
from airgap.dossier import document, output
from airgap.flows.dossier import DossierRequest, dossier_of
from airgap.i18n import tr
from airgap.transfer import Context


@click.command("dossier")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE...")
@click.option("-o", "--output", "folder", metavar="DIR", help=tr("The folder to write into. [default: NAME-dossier]"))
@click.option("--since", metavar="FILE", help=tr("Tell what is new, changed and gone since this bundle or receipt."))
@click.option(
    "--scan",
    metavar="FILE",
    help=tr("The result of airgap scan. [default: scan.json in the working folder, in DIR or beside the bundle]"),
)
@identity
@options.as_json
@options.force
@options.dry_run
@options.config
@options.progress
def command(
    bundles: tuple[str, ...],
    folder: str | None,
    since: str | None,
    scan: str | None,
    identities: tuple[str, ...],
    as_json: bool,
    force: bool,
    dry_run: bool,
    config: str | None,
    progress: str,
) -> None:
    """Write what the office that inspects and approves a bundle needs to read.

    DIR gets a web page in Korean and English that prints on A4, a table for spreadsheets, a bill of materials
    (CycloneDX 1.6), and NAME.json, which is what an approval signs. If the bundle is in volumes, name any one of them;
    name several if they are on several media.

    \b
    airgap dossier bundle.tar -o dossier
    airgap dossier platform-1.10.tar --since platform-1.9.tar -o dossier
    airgap dossier bundle.tar --json | jq -r '.images[].reference'
    """
    project = load_project(config)
    target = Path(folder or f"{output.stem_of(bundles[0])}-dossier")
    request = DossierRequest(
        Path(since) if since else None,
        project.purpose or "",
        project.rules,
        Path(scan) if scan else None,
        (Path(), target),
    )
    with options.open_bundle(bundles, False, unsealer(identities)) as bundle, open_display(progress) as emit:
        dossier = dossier_of(bundle, request, Context(emit=emit))
    if as_json:
        say_json(document.to_json(dossier))
        return
    files = output.files_of(dossier)
    if not dry_run:
        output.write(target, files, force=force)
    for name, _ in files:
        path = target / name
        note(tr("would write {path}", path=path) if dry_run else tr("wrote {path}", path=path))

# SPDX-License-Identifier: Apache-2.0
"""``airgap expand``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.bundle import OutputFormat
from airgap.cli import older_bundles, options
from airgap.cli.printing import say_json
from airgap.cli.progress.display import open_display
from airgap.cli.seal_options import identity, unsealer
from airgap.events import Noted
from airgap.flows.expand import expand
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.transfer import CancelToken, Context, Jobs


@click.command("expand")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE...")
@older_bundles.option
@click.option("-o", "--output", required=True, metavar="BUNDLE", help=tr("The plain bundle to write."))
@identity
@options.force
@options.dry_run
@options.as_json
@options.jobs
@options.progress
def command(
    bundles: tuple[str, ...],
    bases: tuple[str, ...],
    output: str,
    identities: tuple[str, ...],
    force: bool,
    dry_run: bool,
    as_json: bool,
    jobs: int | None,
    progress: str,
) -> None:
    """Make the plain bundle of a recoded one, which export --recode wrote. Needs no network.

    The plain bundle is the one that export writes without --recode, with every digest; other programs and all commands
    read it. Signatures are those of the recoded bundle: check them with `airgap verify` before. The plain bundle has
    none, its digests prove it.

    \b
    airgap expand bundle.recoded.tar -o bundle.tar
    airgap expand november.recoded.tar --base october.tar -o november.tar
    """
    with (
        options.open_bundle(bundles, False, unsealer(identities)) as bundle,
        older_bundles.open_all(bases, unsealer(identities)) as older,
        open_display(progress) as emit,
    ):
        context = Context(Jobs.of(jobs), emit, CancelToken())
        expanded = expand(bundle, older, OutputFormat(Path(output)), context, force=force, dry_run=dry_run)
        if as_json:
            document = {"output": output, "size": expanded.size, "id": expanded.id, "restored": expanded.layers}
            say_json({**document, "dry_run": dry_run})
            return
        text = tr("would write {output}", output=output) if dry_run else tr("wrote {output}", output=output)
        layers = counted(expanded.layers, "layer")
        emit(Noted(tr("{text}: {size}, {layers} restored", text=text, size=human(expanded.size), layers=layers)))
        emit(Noted(tr("its ID is {id}, as if it had been exported plain", id=expanded.id)))
        if expanded.signed:
            emit(Noted(tr("the signatures are those of the recoded bundle: airgap verify BUNDLE checks them there")))

# SPDX-License-Identifier: Apache-2.0
"""``airgap demo``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.commands.rewrite import diff_of
from airgap.cli.progress.display import display
from airgap.flows.demo.demo import demo
from airgap.formatting import counted, human


@click.command("demo")
@click.option("--output", metavar="DIR", default="airgap-demo", show_default=True, help="Where its files are kept.")
@options.progress
def command(output: str, progress: str) -> None:
    """Show the whole journey on this machine: two registries on loopback, one bundle, rewritten YAML.

    \b
    airgap demo
    """
    folder = Path(output)
    click.echo("Two registries on loopback play quay.io and Nexus; nothing leaves this machine.")
    with display(progress) as emit:
        shown = demo(folder, emit=emit, say=lambda text: click.echo(click.style(f"$ {text}", bold=True)))
    exported, imported = shown.exported, shown.imported
    click.echo(f"{counted(exported.images, 'image')} in {shown.bundle} ({human(exported.bundle_size)})")
    click.echo(f"{counted(len(imported.names), 'image')} pushed and read back; the YAML, before and after:")
    for file in imported.files:
        click.echo(diff_of(file), nl=False)
    click.echo(f"all files are kept in {folder}/")

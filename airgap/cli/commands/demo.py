# SPDX-License-Identifier: Apache-2.0
"""``airgap demo``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.formatting.unified_diff import file_diff
from airgap.cli.printing import Styled, say
from airgap.cli.progress.display import open_display
from airgap.flows.demo.demo import demo
from airgap.formatting import counted, human
from airgap.i18n import tr


@click.command("demo")
@click.option("--output", metavar="DIR", default="airgap-demo", show_default=True, help=tr("Folder for its files."))
@options.progress
def command(output: str, progress: str) -> None:
    """Run the whole procedure on this machine: two registries on loopback, one bundle, rewritten YAML.

    \b
    airgap demo
    """
    folder = Path(output)
    say(tr("Two registries on loopback play quay.io and Nexus; nothing leaves this machine."))
    with open_display(progress) as display:

        def show_command(text: str) -> None:
            display.clear()
            say(Styled(f"$ {text}", bold=True))

        result = demo(folder, emit=display, show_command=show_command)
    exported, imported = result.exported, result.imported
    say(
        tr(
            "{image_count} in {bundle} ({bundle_size})",
            image_count=counted(exported.images, "image"),
            bundle=result.bundle,
            bundle_size=human(exported.bundle_size),
        )
    )
    say(
        tr(
            "{image_count} pushed and read back; the YAML, before and after:",
            image_count=counted(len(imported.names), "image"),
        )
    )
    for file in imported.files:
        say(file_diff(file), lines=True, end="")
    say(tr("all files are kept in {folder}/", folder=folder))

# SPDX-License-Identifier: Apache-2.0
"""``airgap init``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli.progress.display import open_display
from airgap.events import Noted, Warned
from airgap.flows.init import init
from airgap.formatting import counted
from airgap.i18n import tr


@click.command("init")
@click.argument("folder", metavar="[FOLDER]", default=".")
def command(folder: str) -> None:
    """Write a commented airgap.yaml into FOLDER, by default the working folder, from the resource files in it.

    The resource files, charts and kustomizations that are there are listed; platforms, target and what else can be set
    are comments to fill in. An airgap.yaml that is there stays as it is. Asks no registry.

    \b
    airgap init
    airgap export
    """
    with open_display("plain") as emit:
        project = init(Path(folder))
        for reason in project.skipped:
            emit(Warned(tr("{reason}; left out", reason=reason)))
        resources = counted(len(project.resources), "resource")
        emit(
            Noted(
                tr(
                    "wrote {path}: {resources}, {image_count}",
                    path=project.path,
                    resources=resources,
                    image_count=counted(len(project.images), "image"),
                )
            )
        )
        if project.resources and folder == ".":
            emit(Noted(tr("next: airgap export")))

# SPDX-License-Identifier: Apache-2.0
"""``airgap repair``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.printing import say_json
from airgap.cli.progress.display import open_display
from airgap.cli.release_folder import volumes_with_parity
from airgap.config.release_yaml import MOST_PARITY
from airgap.durable.output import folder_for
from airgap.errors import UsageError
from airgap.events import Noted
from airgap.flows.parity import add_parity
from airgap.flows.repair import Repaired, repair
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.transfer import Context, Jobs


@click.command("repair")
@click.argument("volumes", nargs=-1, required=True, metavar="VOLUME...")
@click.option(
    "-o", "--output", metavar="DIR", help=tr("Write the restored volumes here instead of over the damaged ones.")
)
@click.option(
    "--parity",
    type=click.IntRange(1, MOST_PARITY),
    metavar="N",
    help=tr(
        "Restore nothing: add N parity volumes to a whole bundle, such as one that machines made a volume each of."
    ),
)
@options.dry_run
@options.as_json
@options.progress
def command(
    volumes: tuple[str, ...], output: str | None, parity: int | None, dry_run: bool, as_json: bool, progress: str
) -> None:
    """Make lost and damaged volumes of a bundle again, from the other volumes and those that --parity added.

    Name any volume; the others are found beside it. Name several if they are in different folders. Of a release
    folder, each bundle with parity is repaired. Needs no network.
    What is restored is the first bytes again, compared by checksum. If too much is lost, the message says which volumes
    must be copied or made again.

    \b
    airgap repair bundle.tar.001
    airgap repair bundle.tar.001 --parity 2
    airgap repair /media/dvd/bundle.tar.002 /srv/carried/bundle.tar.001 -o /srv/carried
    """
    if parity is not None:
        if output is not None:
            raise UsageError(
                tr("--parity adds volumes beside the others, and -o is for restored ones"),
                hint=tr("leave one of them out"),
            )
        _add_parity([*map(Path, volumes)], parity, dry_run=dry_run, as_json=as_json, progress=progress)
        return
    sets = volumes_with_parity(volumes[0]) if len(volumes) == 1 else None
    with open_display(progress) as emit, folder_for(Path(output)) if output is not None else nullcontext():
        context, folder = Context(Jobs.of(None), emit), Path(output) if output is not None else None
        results = [repair(paths, folder, context, dry_run=dry_run) for paths in sets or [[*map(Path, volumes)]]]
        repaired = Repaired([path for one in results for path in one.paths], sum(one.blocks for one in results))
        if as_json:
            names = [str(path) for path in repaired.paths]
            say_json({"restored": names, "blocks": repaired.blocks, "dry_run": dry_run})
            return
        if not repaired.paths:
            emit(Noted(tr("nothing is lost or damaged")))
        for path in repaired.paths:
            text = tr("would restore {path}", path=path) if dry_run else tr("restored {path}", path=path)
            emit(Noted(text))
        if repaired.blocks:
            emit(Noted(tr("{blocks} of 64 KiB were lost or damaged", blocks=counted(repaired.blocks, "block"))))


def _add_parity(paths: Sequence[Path], count: int, *, dry_run: bool, as_json: bool, progress: str) -> None:
    with open_display(progress) as emit:
        made = add_parity(paths, count, Context(Jobs.of(None), emit), dry_run=dry_run)
        if as_json:
            say_json({"made": [str(path) for path in made], "dry_run": dry_run})
            return
        for path in made:
            emit(Noted(tr("would write {path}", path=path) if dry_run else tr("wrote {path}", path=path)))

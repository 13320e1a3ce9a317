# SPDX-License-Identifier: Apache-2.0
"""``airgap verify``."""

from __future__ import annotations

import click

from airgap.cli import options
from airgap.cli.progress.display import display
from airgap.config import airgap_yaml as project
from airgap.config.connections import connect, target_of
from airgap.events import Noted
from airgap.flows.verify import verify, verify_target
from airgap.formatting import counted, human
from airgap.targets import target_for
from airgap.transfer import CancelToken, Context, Jobs


@click.command("verify")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE...")
@click.option("--against", metavar="TARGET", help="Compare the target's tags with the bundle as well.")
@options.mapping
@options.target_network
@options.config
@options.jobs
@options.progress
def command(
    bundles: tuple[str, ...],
    against: str | None,
    mapping: str | None,
    access: options.Access,
    config: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Check a bundle byte for byte, and that every image in it is complete. A differential bundle is checked by itself,
    and what it builds on is told.

    Of a bundle in volumes any one is enough if the others lie beside it; name several where they lie on several
    media. - reads a bundle from standard input.

    \b
    airgap verify bundle.tar
    airgap verify bundle.tar --against http://10.100.0.102:32415/my-docker-image
    """
    if not against and (mapping or access.given):
        raise click.UsageError("what is said of a target goes with --against")
    read = project.load(config)
    with options.opened(bundles, access.password_stdin) as opened, display(progress) as emit:
        done = verify(opened, Context(Jobs.of(jobs), emit))
        emit(Noted(f"{bundles[0]}: {counted(done.blobs, 'blob')}, {human(done.bytes)}, all as they should be"))
        for line in done.requirements:
            emit(Noted(f"{bundles[0]}: {line}"))
        if against:
            goal = target_of(read, against, mapping)
            network = access.network(goal.address.registry)
            with connect(read, network, emit, target=goal.address) as registries:
                there = target_for(registries, goal, read_only=True)
                count = verify_target(opened, goal, there, Context(Jobs.of(jobs), emit, CancelToken(registries.abort)))
            emit(Noted(f"{goal.address}: {counted(count, 'tag')}, all with the bundle's digests"))

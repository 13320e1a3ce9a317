# SPDX-License-Identifier: Apache-2.0
"""``airgap inventory``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.progress.display import display
from airgap.config import airgap_yaml as project
from airgap.config.connections import connect, target_of
from airgap.durable import output as out
from airgap.errors import Incomplete
from airgap.events import Noted
from airgap.flows.inventory import inventory
from airgap.formatting import counted
from airgap.targets import target_for
from airgap.transfer import CancelToken, Context, Jobs


@click.command("inventory")
@click.argument("target", metavar="TARGET")
@click.option("-o", "--output", metavar="RECEIPT", required=True, help="The receipt to write; - is standard output.")
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="NAME",
    help="Ask for this repository instead of all that the registry lists. Repeatable.",
)
@options.force
@options.nexus
@options.target_network
@options.config
@options.jobs
@options.progress
def command(
    target: str,
    output: str,
    repositories: tuple[str, ...],
    force: bool,
    nexus: str,
    access: options.Access,
    config: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Ask a registry what it holds, for `airgap export --base` on the other side.

    Every tag under the target's prefix is read, and the receipt lists images and blobs with their repositories, as
    that of an import does, by the names that nodes pull. Nothing is changed at the registry. Many registries list
    their repositories to administrators alone: then name them with --repository.

    \b
    airgap inventory http://10.100.0.102:32415/my-docker-image -o held.json
    airgap inventory nexus.corp:8443/k8s --repository falco --repository nginx -o held.json
    airgap inventory https://nexus.corp/repository/docker/k8s --nexus https://nexus.corp -o held.json
    """
    read = project.load(config)
    goal = target_of(read, target, None)
    network = access.network(goal.address.registry)
    place = Path(output)
    if output != "-":
        out.check_place(place, force=force)
    with display(progress) as emit, connect(read, network, emit, target=goal.address) as registries:
        found = inventory(
            target_for(registries, goal, nexus=nexus, read_only=True), repositories,
            Context(Jobs.of(jobs), emit, CancelToken(registries.abort)),
        )  # fmt: skip
        content = found.receipt.to_bytes()
        if output == "-":
            sys.stdout.buffer.write(content)
            sys.stdout.flush()
        else:
            out.write_files(place.parent, [(place.name, content)])
            receipt = found.receipt
            emit(
                Noted(f"wrote {output}: {counted(len(receipt.images), 'image')}, {counted(len(receipt.blobs), 'blob')}")
            )
    if found.failures:
        names = ", ".join(label for label, _ in found.failures)
        raise Incomplete(f"not in the receipt: {names}", hint="what is listed there can be relied on all the same")

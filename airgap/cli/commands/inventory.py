# SPDX-License-Identifier: Apache-2.0
"""``airgap inventory``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.printing import write_bytes
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import open_registries, target_mapping
from airgap.durable import output as out
from airgap.errors import Incomplete
from airgap.events import Noted
from airgap.flows.inventory import inventory
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.targets import target_for
from airgap.transfer import CancelToken, Context, Jobs


@click.command("inventory")
@click.argument("target", metavar="TARGET")
@click.option(
    "-o", "--output", metavar="RECEIPT", required=True, help=tr("The receipt to write; - is standard output.")
)
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="NAME",
    help=tr("Read this repository instead of all that the registry lists. Repeatable."),
)
@options.force
@options.nexus
@options.target_options
@options.config
@options.jobs
@options.progress
def command(
    target: str,
    output: str,
    repositories: tuple[str, ...],
    force: bool,
    nexus: str,
    connection: options.TargetConnection,
    config: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """List what a registry has, for `airgap export --base` on the other side.

    Reads every tag under the target's prefix. The receipt lists images and blobs with their repositories, like that
    of an import, by the names that nodes pull. Changes nothing at the registry. Many registries list their
    repositories only to administrators; name them with --repository in that case.

    \b
    airgap inventory http://10.100.0.102:32415/my-docker-image -o held.json
    airgap inventory nexus.corp:8443/k8s --repository falco --repository nginx -o held.json
    airgap inventory https://nexus.corp/repository/docker/k8s --nexus https://nexus.corp -o held.json
    """
    project = load_project(config)
    mapping = target_mapping(project, target, None, plain_http=connection.plain_http)
    connection_options = connection.options(mapping.address.registry)
    path = Path(output)
    if output != "-":
        out.check_place(path, force=force)
    with (
        open_display(progress) as emit,
        open_registries(project, connection_options, emit, target=mapping.address) as registries,
    ):
        result = inventory(
            target_for(registries, mapping, nexus=nexus, read_only=True), repositories,
            Context(Jobs.of(jobs), emit, CancelToken(registries.abort)),
        )  # fmt: skip
        content = result.receipt.to_bytes()
        if output == "-":
            write_bytes(content)
            sys.stdout.flush()
        else:
            out.write_files(path.parent, [(path.name, content)])
            receipt = result.receipt
            emit(
                Noted(
                    tr(
                        "wrote {output}: {image_count}, {blob_count}",
                        output=output,
                        image_count=counted(len(receipt.images), "image"),
                        blob_count=counted(len(receipt.blobs), "blob"),
                    )
                )
            )
    if result.failures:
        names = ", ".join(label for label, _ in result.failures)
        raise Incomplete(
            tr("not in the receipt: {names}", names=names),
            hint=tr("what is listed there can be relied on all the same"),
        )

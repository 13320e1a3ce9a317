# SPDX-License-Identifier: Apache-2.0
"""``airgap verify``."""

from __future__ import annotations

import click

from airgap.cli import options
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import open_registries, target_mapping
from airgap.events import Noted
from airgap.flows.verify import verify, verify_target
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.targets import target_for
from airgap.transfer import CancelToken, Context, Jobs


@click.command("verify")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE...")
@click.option("--against", metavar="TARGET", help=tr("Compare the target's tags with the bundle as well."))
@options.mapping
@options.target_options
@options.config
@options.jobs
@options.progress
def command(
    bundles: tuple[str, ...],
    against: str | None,
    policy: str | None,
    connection: options.TargetConnection,
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
    if not against and (policy or connection.given):
        raise click.UsageError(tr("what is said of a target goes with --against"))
    project = load_project(config)
    with options.open_bundle(bundles, connection.password_stdin) as bundle, open_display(progress) as emit:
        verified = verify(bundle, Context(Jobs.of(jobs), emit))
        emit(
            Noted(
                tr(
                    "{bundles}: {blob_count}, {bytes}, all as they should be",
                    bundles=bundles[0],
                    blob_count=counted(verified.blobs, "blob"),
                    bytes=human(verified.bytes),
                )
            )
        )
        for line in verified.requirements:
            emit(Noted(f"{bundles[0]}: {line}"))
        if against:
            mapping = target_mapping(project, against, policy)
            connection_options = connection.options(mapping.address.registry)
            with open_registries(project, connection_options, emit, target=mapping.address) as registries:
                target = target_for(registries, mapping, read_only=True)
                count = verify_target(
                    bundle, mapping, target, Context(Jobs.of(jobs), emit, CancelToken(registries.abort))
                )
            emit(
                Noted(
                    tr(
                        "{address}: {tag_count}, all with the bundle's digests",
                        address=mapping.address,
                        tag_count=counted(count, "tag"),
                    )
                )
            )

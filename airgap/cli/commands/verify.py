# SPDX-License-Identifier: Apache-2.0
"""``airgap verify``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from airgap.cli import older_bundles, options
from airgap.cli.progress.display import open_display
from airgap.cli.seal_options import identity, unsealer
from airgap.cli.trust_options import TrustOptions, trust_options
from airgap.config.airgap_yaml import ProjectSettings, load_project
from airgap.config.connections import open_registries, target_mapping
from airgap.errors import BundleError, ContentError, ContentMissing, Failures, raise_all
from airgap.events import Noted
from airgap.flows.admission import verify_signed
from airgap.flows.repair import parity_state
from airgap.flows.steps.restored_check import check_restored
from airgap.flows.verify import verify_target
from airgap.flows.verify_release import verify_release
from airgap.formatting import counted, human, quoted
from airgap.i18n import tr
from airgap.release.at_hand import open_release, release_folder
from airgap.targets import target_for
from airgap.transfer import CancelToken, Context, Jobs


@click.command("verify")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE|RELEASE...")
@click.option("--against", metavar="TARGET", help=tr("Also compare the target's tags with the bundle."))
@trust_options
@identity
@older_bundles.option
@options.mapping
@options.target_options
@options.config
@options.jobs
@options.progress
def command(
    bundles: tuple[str, ...],
    against: str | None,
    trust: TrustOptions,
    identities: tuple[str, ...],
    bases: tuple[str, ...],
    policy: str | None,
    connection: options.TargetConnection,
    config: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Check every byte of a bundle, and that every image in it is complete.

    A differential bundle is checked alone; the bundles that it needs are listed. If the bundle is in volumes,
    name any one of them; name several if they are on several media. - reads a bundle from standard input.

    Of a release folder, each file that is there is compared with release.json, and each bundle that is whole is
    checked.

    A signed bundle is also checked for anything that was added to it or reordered, and its signatures by the keys that
    are trusted here. With --key or --ca it must be signed. Of a bundle with parity volumes it says whether `airgap
    repair` restores what is lost or damaged.

    \b
    airgap verify bundle.tar
    airgap verify bundle.tar --key maker.pub
    airgap verify my-platform-1.10/
    airgap verify bundle.tar --against http://10.100.0.102:32415/my-docker-image
    """
    if not against and (policy or connection.given):
        raise click.UsageError(tr("what is said of a target goes with --against"))
    project = load_project(config)
    release = release_folder(bundles[0])
    if release is None:
        _verify_bundle(bundles, against, trust, identities, bases, policy, connection, project, jobs, progress)
        return
    with open_display(progress) as emit:
        checked = verify_release(open_release(release, bundles[1:]), Context(Jobs.of(jobs), emit))
    for volume in checked.broken:
        _tell_of_parity([str(volume)], progress, verified=False)
    raise_all(checked.errors)
    if not checked.complete:
        raise ContentMissing(
            tr("no bundle of this release is here with all of its files"),
            where=str(release),
            hint=tr("airgap inspect {folder} names the files that are missing", folder=quoted(release)),
        )
    for number, paths in enumerate(checked.complete):
        names = tuple(map(str, paths))
        _verify_bundle(
            names,
            against if number == 0 else None,
            trust,
            identities,
            bases,
            policy,
            connection,
            project,
            jobs,
            progress,
        )


def _verify_bundle(
    bundles: tuple[str, ...],
    against: str | None,
    trust: TrustOptions,
    identities: tuple[str, ...],
    bases: tuple[str, ...],
    policy: str | None,
    connection: options.TargetConnection,
    project: ProjectSettings,
    jobs: int | None,
    progress: str,
) -> None:
    """Verify one bundle, and the target ``against``."""
    try:
        with (
            options.open_bundle(bundles, connection.password_stdin, unsealer(identities)) as bundle,
            older_bundles.open_all(bases, unsealer(identities)) as older,
            open_display(progress) as emit,
        ):
            demand = trust.demand(project)
            verified = verify_signed(bundle, demand, Context(Jobs.of(jobs), emit))
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
            if bundle.is_split:
                _tell_of_parity(bundles, progress, verified=True)
            for line in check_restored(bundle, older, Context(Jobs.of(jobs), emit)):
                emit(Noted(f"{bundles[0]}: {line}"))
            for line in verified.requirements:
                emit(Noted(f"{bundles[0]}: {line}"))
            if against:
                mapping = target_mapping(project, against, policy, plain_http=connection.plain_http)
                connection_options = connection.options(mapping.address.registry)
                with open_registries(project, connection_options, emit, target=mapping.address) as registries:
                    target = target_for(registries, mapping, read_only=True, any_route=True)
                    registry = mapping.address.registry
                    count = verify_target(
                        bundle, mapping, target, Context(Jobs.of(jobs), emit, CancelToken(registries.abort)),
                        connection=registries.client(registry).settings.arguments(registry),
                    )  # fmt: skip
                emit(
                    Noted(
                        tr(
                            "{address}: {tag_count}, all with the bundle's digests",
                            address=mapping.address,
                            tag_count=counted(count, "tag"),
                        )
                    )
                )
    except (BundleError, ContentError, Failures):
        _tell_of_parity(bundles, progress, verified=False)
        raise


def _tell_of_parity(bundles: Sequence[str], progress: str, *, verified: bool) -> None:
    """Say what parity volumes beside a bundle in volumes can do for it; nothing if there are none."""
    paths = [Path(bundle) for bundle in bundles if bundle != "-"]
    with open_display(progress) as emit:
        state = parity_state(paths, Context(Jobs.of(None), emit), verified=verified)
        if state is not None:
            emit(Noted(state.text))

# SPDX-License-Identifier: Apache-2.0
"""``airgap import``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from airgap.bundle.media.volume_names import bundle_name
from airgap.cli import artifact_options, older_bundles, options
from airgap.cli.approval_options import ApprovalOptions, approval_options
from airgap.cli.commands.import_artifacts import (
    artifact_opener,
    history_of,
    import_only_artifacts,
    print_client_commands,
    print_publication,
)
from airgap.cli.commands.import_release import release_in, show_choice
from airgap.cli.error_reporter import current_reporter
from airgap.cli.formatting.summary import finished_event
from airgap.cli.progress.display import open_display
from airgap.cli.prompts import ask_for_volume
from airgap.cli.release_folder import bundle_in
from airgap.cli.seal_options import identity, unsealer
from airgap.cli.trust_options import TrustOptions, trust_options
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import open_registries, target_mapping
from airgap.config.state import keep_upload_journal
from airgap.errors import Incomplete, Interrupted, UsageError
from airgap.events import Noted, Sink
from airgap.flows.admission import admit
from airgap.flows.import_ import ImportRequest, ImportResult, import_
from airgap.flows.import_artifacts import ArtifactImportRequest
from airgap.flows.steps.release_import import choose_release
from airgap.formatting import counted, quoted
from airgap.i18n import tr
from airgap.oci import Platform
from airgap.records import replace
from airgap.targets import LazyTarget, target_for
from airgap.transfer import CancelToken, Context, Jobs, Report
from airgap.transfer.shard import Shard


@click.command("import")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE|RELEASE...")
@click.option(
    "--to", metavar="TARGET", help=tr("[http://|https://]HOST[:PORT][/PREFIX]. [default: target of airgap.yaml]")
)
@options.mapping
@click.option(
    "--output", metavar="DIR", default="airgap-out", show_default=True, help=tr("Folder for the rewritten files.")
)
@click.option(
    "--receipt",
    metavar="FILE",
    help=tr("The receipt to write. [default: BUNDLE.receipt.json beside the output folder]"),
)
@click.option(
    "--holds",
    multiple=True,
    metavar="FILE",
    help=tr("Of a release: a receipt or an inventory says what the site holds; the target is not asked. Repeatable."),
)
@click.option("--overwrite", is_flag=True, help=tr("Replace tags that exist with another digest."))
@click.option("--keep-going", is_flag=True, help=tr("Continue when an image fails, and end with exit code 3."))
@click.option("--create-projects", is_flag=True, help=tr("Harbor: create missing projects, as private ones."))
@click.option(
    "--shard",
    metavar="I/N",
    help=tr(
        "Send only part I (from 0) of N of the blobs, no manifests and no files. A last run without it does the rest."
    ),
)
@click.option(
    "--state",
    metavar="DIR",
    help=tr("Folder for the record of unfinished uploads. [default: $XDG_STATE_HOME/airgap]"),
)
@click.option(
    "--require-signature",
    is_flag=True,
    help=tr("Push nothing unless the bundle is signed: with each --key, else with any key that is trusted here."),
)
@trust_options
@approval_options
@identity
@older_bundles.option
@options.force
@options.dry_run
@artifact_options.targets
@options.nexus
@options.target_options
@options.config
@options.limit_rate
@options.jobs
@options.progress
def command(
    bundles: tuple[str, ...],
    to: str | None,
    policy: str | None,
    output: str,
    receipt: str | None,
    holds: tuple[str, ...],
    overwrite: bool,
    keep_going: bool,
    create_projects: bool,
    shard: str | None,
    state: str | None,
    require_signature: bool,
    trust: TrustOptions,
    approval: ApprovalOptions,
    identities: tuple[str, ...],
    bases: tuple[str, ...],
    force: bool,
    dry_run: bool,
    artifact_targets: artifact_options.ArtifactTargets,
    nexus: str,
    connection: options.TargetConnection,
    config: str | None,
    limit_rate: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Push a bundle into a registry, and write its YAML with the new image addresses.

    Skips what the registry already has. Run the same command again to continue an interrupted import; it continues
    inside a blob if the registry keeps half-sent ones. The YAML is written only after every image has been pushed and
    read back. If the bundle is in volumes, name any one of them; name several if they are on several
    media. - reads a bundle from standard input. If a signature or an approval is required, all of the bundle is
    verified before anything is pushed.

    Of a release folder, the cheapest files are imported that bring the target from what it has to this version, newer
    or older. It replaces the files of another version in the output folder, unless somebody has changed them. Name
    further folders or files if its media are in several places.

    \b
    airgap import bundle.tar --to http://10.100.0.102:32415/my-docker-image
    kubectl apply -f airgap-out/
    airgap import my-platform-1.10/ --to http://10.100.0.102:32415/my-docker-image
    airgap import bundle.tar --only-artifacts --nexus http://10.100.0.102:8081
    """
    start = time.monotonic()
    project = load_project(config)
    approval_demand = approval.demand(project, trust)
    demand = trust.demand(project, required=require_signature, approved=bool(approval_demand.policy.authorities))
    release = release_in(bundles, demand, approval_demand, holds, dry_run=dry_run)
    if release is not None and to is None and holds and dry_run and not project.target:
        show_choice(release, unsealer(identities) if identities else None, progress)
        return
    if artifact_targets.choice.only:
        if to or policy or shard or overwrite or connection.via:
            raise UsageError(
                tr("--only-artifacts takes no images"),
                hint=tr("leave --to, --mapping, --shard, --overwrite and --via out"),
            )
        bundles = (bundle_in(bundles[0]), *bundles[1:])
        request_of_artifacts = ArtifactImportRequest(
            bundle_name(bundles[0]), Path(receipt) if receipt else None, keep_going, dry_run, force
        )
        import_only_artifacts(
            bundles, request_of_artifacts, project, artifact_targets, nexus, connection, Jobs.of(jobs), progress,
            unsealer(identities), lambda bundle, context: admit(bundle, demand, context, approval_demand),
        )  # fmt: skip
        return
    mapping = target_mapping(project, to, policy, plain_http=connection.plain_http)
    connection_options = replace(connection.options(mapping.address.registry), limit_rate=limit_rate)
    request = ImportRequest(
        # The receipt is beside the output folder: kubectl apply -f would fail on a .json in it that is no object.
        Path(output),
        Path(receipt) if receipt else None,
        bundle_name(bundles[0]),
        overwrite,
        keep_going,
        dry_run,
        force,
        project.rules,
        Shard.parse(shard) if shard is not None else None,
    )
    with ExitStack() as stack:
        if release is None:
            bundle = stack.enter_context(options.open_bundle(bundles, connection.password_stdin, unsealer(identities)))
        older = stack.enter_context(older_bundles.open_all(bases, unsealer(identities)))
        emit = stack.enter_context(open_display(progress))
        registries = stack.enter_context(open_registries(project, connection_options, emit, target=mapping.address))
        run = Context(Jobs.of(jobs), emit, CancelToken(registries.abort))
        target_options: dict[str, Any] = {"nexus": nexus, "create_projects": create_projects, "dry_run": dry_run}
        target = LazyTarget(mapping, lambda: target_for(registries, mapping, **target_options))
        try:
            if release is not None:
                chosen = choose_release(
                    release, target, unsealer(identities) if identities else None, run, can_ask=sys.stdin.isatty()
                )
                bundle = stack.enter_context(chosen.open(unsealer(identities), ask_for_volume()))
                request = chosen.complete(request)
            if not dry_run:
                stack.enter_context(
                    keep_upload_journal(registries, mapping.address, bundle.id, request.shard, state, emit)
                )
            history = history_of(admit(bundle, demand, run, approval_demand), emit)
            registry = mapping.address.registry
            opener = None if artifact_targets.choice.none else artifact_opener(
                registries, artifact_targets.by_format(project), artifact_targets, nexus,
                connection_options.credential or registries.credential(registry), registry, dry_run=dry_run,
            )  # fmt: skip
            imported = import_(replace(request, bases=older), bundle, target, run, opener, history)
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(
                tr("stopped; what the registry has taken is kept, no file was written"), again=True
            ) from None
        platforms = dict.fromkeys(platform for image in bundle.inventory.images for platform in image.platforms)
        seconds = time.monotonic() - start
        _print_result(request, imported, str(target.mapping.address), sorted(platforms, key=str), seconds, emit)


def _print_result(
    request: ImportRequest,
    imported: ImportResult,
    target: str,
    platforms: Iterable[Platform],
    seconds: float,
    emit: Sink,
) -> None:
    """Emit the last lines; raise :class:`Incomplete` if ``--keep-going`` left images out."""
    if imported.publication.formats:
        print_publication(imported.publication, emit, dry_run=request.dry_run)
    if request.dry_run:
        for name in imported.names:
            emit(Noted(tr("would push {name}", name=name)))
        emit(
            Noted(
                tr(
                    "{target}: {image_count} to push; {present} already there",
                    target=target,
                    image_count=counted(len(imported.names), "image"),
                    present=imported.present,
                )
            )
        )
        return
    report, count = imported.report or Report(), len(imported.names)
    if request.shard:
        emit(
            finished_event(
                tr("{target}: shard {shard} is there", target=target, shard=request.shard),
                "pushed",
                count,
                report,
                seconds,
            )
        )
        command = current_reporter().command(without="--shard") or tr("the same command without --shard")
        emit(Noted(tr("next, when all shards are done: {same_command}", same_command=command)))
    for name in imported.removed:
        emit(Noted(tr("removed {path}: this version does not have it", path=request.output / name)))
    for file in imported.files:
        emit(
            Noted(
                tr(
                    "wrote {output} ({image_count} rewritten)",
                    output=request.output / file.name,
                    image_count=counted(len(file.edits), "image"),
                )
            )
        )
    if not request.shard:
        emit(Noted(tr("wrote {receipt}", receipt=imported.receipt)))
        next_command = ""
        if imported.files:
            recursive = " -R" if any("/" in file.name for file in imported.files) else ""
            next_command = tr(
                "kubectl apply{recursive} -f {output}", recursive=recursive, output=quoted(request.output)
            )
        text = tr(
            "{image_count} pushed, {present} already there",
            image_count=counted(count, "image"),
            present=imported.present,
        )
        emit(
            finished_event(
                text, "pushed", count, report, seconds, name=target, platforms=platforms, next_command=next_command
            )
        )
    print_client_commands(imported.publication, emit)
    if imported.failures:
        names = ", ".join(sorted({label for label, _ in imported.failures}))
        raise Incomplete(tr("not pushed: {names}", names=names), again=True)

# SPDX-License-Identifier: Apache-2.0
"""``airgap prune``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airgap.cli import artifact_options, options
from airgap.cli.commands.import_artifacts import artifact_opener, connect_to
from airgap.cli.commands.prune_report import confirm, finish, finish_plan, show_plan
from airgap.cli.printing import note
from airgap.cli.progress.display import open_display
from airgap.cli.prompts import can_ask
from airgap.cli.seal_options import identity, unsealer
from airgap.config.airgap_yaml import ProjectSettings, load_project
from airgap.config.connections import open_registries, target_mapping
from airgap.config.state import state_folder
from airgap.dossier.history import FILE
from airgap.errors import Interrupted, OutputError, UsageError
from airgap.flows.prune.brought import read_receipts
from airgap.flows.prune.kept_documents import read_kept
from airgap.flows.prune.prune import PruneRequest, carry_out, plan_prune
from airgap.i18n import tr
from airgap.records import replace
from airgap.targets import target_for
from airgap.transfer import CancelToken, Context, Jobs

if TYPE_CHECKING:
    from airgap.oci import Reference


@click.command("prune")
@click.argument("target", metavar="[TARGET]", required=False)
@click.option(
    "--keep",
    multiple=True,
    required=True,
    metavar="PATH",
    help=tr("What must stay: the folder of a release, a bundle, its bundle.json, a receipt or a lock. Repeatable."),
)
@click.option(
    "--resources",
    multiple=True,
    metavar="PATH",
    help=tr("YAML in use: keep the images that it names, too. Repeatable."),
)
@click.option("--cluster", is_flag=True, help=tr("Keep the images that a running cluster needs, read by kubectl."))
@options.context
@click.option(
    "--receipt",
    "receipts",
    multiple=True,
    metavar="FILE|DIR",
    help=tr(
        "Receipts of imports, which say what airgap brought. Repeatable. [default: *.receipt.json in the working "
        "folder, and the history]"
    ),
)
@click.option("--yes", is_flag=True, help=tr("Do not ask."))
@options.dry_run
@options.as_json
@options.mapping
@artifact_options.places
@identity
@options.nexus
@options.target_options
@options.config
@options.jobs
@options.progress
def command(
    target: str | None,
    keep: tuple[str, ...],
    resources: tuple[str, ...],
    cluster: bool,
    context: str,
    receipts: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    as_json: bool,
    policy: str | None,
    artifact_targets: artifact_options.ArtifactTargets,
    identities: tuple[str, ...],
    nexus: str,
    connection: options.TargetConnection,
    config: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Delete from a registry the tags and artifacts that airgap brought and no kept release needs.

    Shows what goes, by size, and asks. Deletes nothing that no receipt and no history says airgap brought, no tag that
    somebody else has pushed to since, and no manifest that another tag leads to. Signatures go with their images.
    Reads back that everything is gone, and that every other tag is as it was. Without a terminal, --yes or --dry-run is
    needed. The space is free after a clean-up of the registry, which is named at the end.

    \b
    airgap prune http://10.100.0.102:32415/my-docker-image --keep my-platform-1.9 --keep my-platform-1.10 --dry-run
    airgap prune nexus.corp:8443/k8s --keep my-platform-1.10 --nexus https://nexus.corp --yes
    """
    if as_json and not yes and not dry_run:
        raise UsageError(tr("--json goes with --yes or --dry-run"))
    if not yes and not dry_run and not can_ask():
        raise UsageError(
            tr("there is nobody to ask whether it may be deleted"),
            hint=tr("--dry-run shows what would be deleted, and --yes deletes it"),
        )
    project = load_project(config)
    request = PruneRequest(
        read_kept(keep, unsealer(identities)), (), _images_in_use(resources, cluster, context, project, config)
    )
    only = artifact_targets.choice.only
    if only and target:
        raise UsageError(tr("--only-artifacts looks at no images"), hint=tr("leave TARGET out"))
    if not only and not target and not project.target:
        raise UsageError(
            tr("which registry is to be pruned?"),
            hint=tr("give TARGET, or target: in airgap.yaml; --only-artifacts needs none"),
        )
    mapping = None if only else target_mapping(project, target, policy, plain_http=connection.plain_http)
    by_format = artifact_targets.by_format(project)
    if mapping is None:
        connection_options = connect_to(by_format, nexus, connection)
    else:
        connection_options = connection.options(mapping.address.registry)
    address = mapping.address if mapping is not None else None
    with (
        open_display(progress) as emit,
        open_registries(project, connection_options, emit, target=address) as registries,
    ):
        run = Context(Jobs.of(jobs), emit, CancelToken(registries.abort))
        state = _state()
        request = replace(
            request,
            receipts=read_receipts(receipts, Path(), state, run),
            history=state / FILE if state is not None else None,
            dry_run=dry_run,
        )
        registry = address.registry if address is not None else ""
        opener = None if artifact_targets.choice.none else artifact_opener(
            registries, by_format, artifact_targets, nexus,
            connection_options.credential or (registries.credential(registry) if registry else None), registry,
            dry_run=dry_run,
        )  # fmt: skip
        place = target_for(registries, mapping, nexus=nexus, read_only=True) if mapping is not None else None
        plan = plan_prune(request, place, opener, run)
        if not as_json:
            show_plan(plan, emit)
        if dry_run or plan.is_empty:
            finish_plan(plan, emit, dry_run=dry_run, as_json=as_json)
            return
        if not yes and not confirm(plan):
            note(tr("nothing was deleted"))
            return
        try:
            result = carry_out(request, plan, run)
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(tr("stopped; what was deleted so far is in the history"), again=True) from None
        finish(plan, result, emit, as_json=as_json)


def _images_in_use(
    paths: tuple[str, ...], cluster: bool, context: str, project: ProjectSettings, config: str | None
) -> list[Reference]:
    """The images that resource files and the cluster name."""
    if not cluster and context:
        raise UsageError(tr("--context goes with --cluster"))
    found: list[Reference] = []
    if paths or cluster:
        from airgap.flows.images import find_images
        from airgap.kube.cluster import ClusterScope

        for scope, named in ((None, paths), (ClusterScope(context, "") if cluster else None, ())):
            if scope is not None or named:
                images = find_images(named, rules=project.rules, project_file=config or "", cluster=scope)
                error = images.incomplete(strict=True)
                if error is not None:
                    raise error  # what a file that cannot be read names would be deleted
                found += images.references()
    return found


def _state() -> Path | None:
    try:
        return state_folder(os.environ)
    except OutputError:
        return None

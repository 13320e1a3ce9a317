# SPDX-License-Identifier: Apache-2.0
"""``airgap prove``."""

from __future__ import annotations

import click

from airgap.cli import options
from airgap.cli.formatting.proof import proof_lines
from airgap.cli.printing import note, say, say_json
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import helm_options, open_registries, target_mapping
from airgap.errors import NotReady
from airgap.flows.images import find_images
from airgap.flows.prove import ProveRequest, needs_of, prove
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.render.programs import Rendering
from airgap.prove.proof import Proof
from airgap.prove.pull_secrets import PullSecrets
from airgap.prove.runtimes import RUNTIMES
from airgap.transfer import CancelToken, Context, Jobs


@click.command("prove")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "--against",
    "target",
    metavar="TARGET",
    help=tr("The registry that nodes are to get the images from. [default: target: of airgap.yaml]"),
)
@click.option(
    "--as",
    "runtime",
    type=click.Choice(list(RUNTIMES)),
    default="containerd",
    show_default=True,
    help=tr("The container runtime of the nodes."),
)
@click.option(
    "--root",
    metavar="DIR",
    default="/",
    show_default=True,
    help=tr("Read the configuration of this node: / or the folder where its root is mounted or copied."),
)
@click.option(
    "--platform", metavar="PLATFORM", default="", help=tr("Platform of the node. [default: that of this machine]")
)
@options.mapping
@options.as_json
@options.chart_options
@options.walk_options
@options.cluster_options
@options.target_options
@options.config
@options.jobs
@options.progress
def command(
    paths: tuple[str, ...],
    target: str | None,
    runtime: str,
    root: str,
    platform: str,
    policy: str | None,
    as_json: bool,
    rendering: Rendering,
    walking: options.Walking,
    cluster: bool,
    context: str,
    connection: options.TargetConnection,
    config: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Prove that nodes would get every image, before anything is deployed.

    Resolves each image that PATH needs as the node's container runtime does, with its configuration, its certificates
    and the pull secrets of the pods, and asks the registries up to a HEAD for each blob. Names all causes in one run,
    each with the command that mends it. The exit code is 0 only if every image would be pulled, 51 otherwise.

    \b
    airgap prove airgap-out/ --against http://10.100.0.102:32415/my-docker-image
    airgap prove charts/shop --against nexus.corp:8443/k8s --ca-file ca.pem --as crio --root /mnt/node
    airgap prove cert-manager.yaml --against nexus.corp:8443 --platform linux/arm64 --json
    """
    project = load_project(config)
    scope, rendering = options.cluster_scope(cluster, context, paths, rendering)
    mapping = target_mapping(project, target, policy, plain_http=connection.plain_http)
    connection_options = connection.options(mapping.address.registry)
    found_images = find_images(
        () if scope else paths or project.resources,
        images=project.images,
        stdin=options.read_stdin,
        rendering=rendering,
        pull=helm_options(project, connection_options),
        rules=project.rules,
        project_file=config or "",
        walking=walking.options,
        cluster=scope,
    )
    request = ProveRequest(mapping, runtime, root, platform, connection.ca_file or "")
    with (
        open_display(progress) as emit,
        open_registries(project, connection_options, emit, target=mapping.address) as registries,
    ):
        found_images.emit_messages(emit)
        needs = needs_of(found_images, rendering.namespace, PullSecrets())
        proof = prove(request, needs, registries, Context(Jobs.of(jobs), emit, CancelToken(registries.abort)))
    _report(proof, as_json=as_json)
    if error := found_images.incomplete(strict=walking.strict):
        raise error


def _report(proof: Proof, *, as_json: bool) -> None:
    """Print the proof. Raises :class:`NotReady` if an image would not be pulled."""
    if as_json:
        say_json(proof.to_json())
    else:
        for line in proof_lines(proof):
            say(*line)
        note(tr("{count} sent", count=counted(proof.requests, "request")))
    if not proof.ready:
        causes = proof.causes
        more = tr(", and {count} more", count=len(causes) - 1) if len(causes) > 1 else ""
        raise NotReady(
            tr("{missing} of {images} would not be pulled: {what}{more}", missing=len(proof.missing),
               images=counted(len(proof.verdicts), "image"), what=causes[0].fault.what, more=more),
            where=proof.target,
        )  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""``airgap prove``."""

from __future__ import annotations

import contextlib

import click

from airgap.cli import options
from airgap.cli.commands.prove_report import report, report_nodes
from airgap.cli.printing import say_json
from airgap.cli.progress.display import open_display
from airgap.cli.project_images import find_project_images
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import open_registries, target_mapping
from airgap.errors import UsageError
from airgap.flows.images import FoundImages
from airgap.flows.prove import ProveRequest, needs_of, prove
from airgap.flows.prove_nodes import objects_for_nodes, prove_on_nodes, remote_node
from airgap.i18n import tr
from airgap.kube.render.programs import Rendering
from airgap.prove.node_files import NodeFiles
from airgap.prove.nodes.needs_file import read_needs_files
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
    help=tr("The container runtime of the nodes. [default: containerd; with --from-node, that of the node]"),
)
@click.option(
    "--root",
    metavar="DIR",
    help=tr("Read the configuration of this node: the folder where its root is mounted or copied. [default: /]"),
)
@click.option("--from-node", metavar="NODE", help=tr("Read that of this node of the cluster, through a debug pod."))
@click.option("--image", metavar="IMAGE", help=tr("With --from-node: the image of the debug pod, with sh and tar."))
@click.option(
    "--on-nodes",
    metavar="IMAGE",
    help=tr("Check on every node of the cluster, by a DaemonSet of this image of airgap, and print a table."),
)
@click.option("--platform", metavar="PLATFORM", default="", help=tr("Platform of the node. [default: its own]"))
@click.option("--needs", metavar="FILE", hidden=True, help=tr("Read what is needed from here, on a node."))
@click.option("--needs-secrets", metavar="FILE", default="", hidden=True, help=tr("The pull secrets beside it."))
@options.mapping
@options.as_json
@options.dry_run
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
    runtime: str | None,
    root: str | None,
    from_node: str | None,
    image: str | None,
    on_nodes: str | None,
    platform: str,
    needs: str | None,
    needs_secrets: str,
    policy: str | None,
    as_json: bool,
    dry_run: bool,
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
    airgap prove --cluster --against nexus.corp:8443/k8s --on-nodes nexus.corp:8443/k8s/airgap:1.0
    """
    _check(root, from_node, image, on_nodes, dry_run=dry_run)
    project = load_project(config)
    # --context also says in which cluster the nodes are.
    of_cluster = "" if (from_node or on_nodes) and not cluster else context
    scope, rendering = options.cluster_scope(cluster, of_cluster, paths, rendering)
    mapping = target_mapping(project, target, policy, plain_http=connection.plain_http)
    connection_options = connection.options(mapping.address.registry)
    found_images = (
        FoundImages(())
        if needs
        else find_project_images(
            () if scope else paths or project.resources,
            project,
            connection_options,
            rendering,
            walking,
            project_file=config,
            cluster=scope,
        )
    )
    with contextlib.ExitStack() as stack:
        emit = stack.enter_context(open_display(progress))
        found_images.emit_messages(emit)
        all_needs = (
            read_needs_files(needs, needs_secrets)
            if needs
            else needs_of(found_images, rendering.namespace, scope, emit)
        )
        if on_nodes:
            arguments = ["--against", mapping.address.url_text(), "--as", runtime or "containerd"]
            for option, value in (("--platform", platform), ("--mapping", policy)):
                arguments += [option, value] if value else []
            arguments += ["--insecure"] if connection.insecure else []
            given = on_nodes, all_needs, arguments, connection.ca_file or ""
            if dry_run:
                say_json(objects_for_nodes(*given))
                return
            answers = prove_on_nodes(context, *given, emit)
        else:
            version = ""
            if from_node:
                node = stack.enter_context(remote_node(context, from_node, image or ""))
                files, platform = node.files, platform or node.platform
                version = node.version if runtime in (None, node.runtime) else ""
                runtime = runtime or node.runtime
            else:
                files = NodeFiles.below(root or "/")
            name, ca_file = from_node or root or "/", connection.ca_file or ""
            request = ProveRequest(mapping, runtime or "containerd", files, name, platform, ca_file, version)
            registries = stack.enter_context(open_registries(project, connection_options, emit, target=mapping.address))
            proof = prove(request, all_needs, registries, Context(Jobs.of(jobs), emit, CancelToken(registries.abort)))
    if on_nodes:
        report_nodes(str(mapping.address), answers, as_json=as_json)
    else:
        report(proof, as_json=as_json)
    if error := found_images.incomplete(strict=walking.strict):
        raise error


def _check(root: str | None, from_node: str | None, image: str | None, on_nodes: str | None, *, dry_run: bool) -> None:
    """Raise :class:`UsageError` for options that contradict each other."""
    if sum(1 for option in (root, from_node, on_nodes) if option) > 1:
        raise UsageError(tr("choose one of --root, --from-node and --on-nodes"))
    if bool(image) != bool(from_node):
        raise UsageError(
            tr("--from-node and --image go together"),
            hint=tr("--image names an image that the node has or can pull, with sh, sleep and tar, such as busybox"),
        )
    if dry_run and not on_nodes:
        raise UsageError(tr("--dry-run goes with --on-nodes: nothing else changes anything"))

# SPDX-License-Identifier: Apache-2.0
"""``airgap images``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from airgap.cli import options
from airgap.cli.error_reporter import current_reporter
from airgap.cli.formatting.event_text import warning_text
from airgap.cli.printing import Styled, note, say, say_json
from airgap.cli.project_images import find_project_images
from airgap.config.airgap_yaml import load_project
from airgap.flows.images import FoundImages
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube import NearMiss, Site
from airgap.kube.render.programs import Rendering

if TYPE_CHECKING:
    from airgap.artifacts.settings import ArtifactEntry


@click.command("images")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@options.as_json
@click.option("--refs", is_flag=True, help=tr("Print one reference per line, for scripts."))
@click.option(
    "--why",
    is_flag=True,
    help=tr("Show the rule that found each image, and what was not taken and why. With --json too."),
)
@click.option("--sizes", is_flag=True, help=tr("Ask the registries for the sizes."))
@click.option(
    "--signatures",
    is_flag=True,
    help=tr("Ask the registries for signatures, attestations and SBOMs, and show who made them. With --json too."),
)
@options.chart_options
@options.walk_options
@options.cluster_options
@options.source_options
@options.config
@options.jobs
@options.progress
def command(
    paths: tuple[str, ...],
    as_json: bool,
    refs: bool,
    why: bool,
    sizes: bool,
    signatures: bool,
    ca_file: str | None,
    plain_http: tuple[str, ...],
    insecure: tuple[str, ...],
    config: str | None,
    jobs: int | None,
    progress: str,
    rendering: Rendering,
    walking: options.Walking,
    cluster: bool,
    context: str,
) -> None:
    """List the images that resource files name, and where.

    PATH is a file, a folder, or - for standard input. The default is the resources of airgap.yaml. A chart (folder,
    .tgz or oci://...) is rendered by helm, a folder with a kustomization by kubectl or kustomize. Other folders are
    walked: what cannot be read is skipped with a warning and exit code 3.

    \b
    airgap images cert-manager.yaml
    kubectl get deploy,ds,sts -A -o json | airgap images - --refs
    airgap images --cluster --context production
    airgap images charts/shop -f production.yaml --set ingress.enabled=true
    """
    if as_json + refs + sizes > 1 or (why and (refs or sizes)) or (signatures and (refs or sizes or why)):
        raise click.UsageError(
            tr("choose one of --json, --refs, --why, --sizes and --signatures; --why and --signatures go with --json")
        )
    if not (sizes or signatures) and (ca_file or plain_http or insecure):
        raise click.UsageError(
            tr("--ca-file, --plain-http and --insecure go with --sizes or --signatures: nothing else asks a registry")
        )
    project = load_project(config)
    scope, rendering = options.cluster_scope(cluster, context, paths, rendering)
    connection_options = options.source_connection(ca_file, plain_http, insecure)
    # Scripts that read the other forms get images alone.
    artifacts = [] if scope or paths or as_json or refs or sizes or signatures else project.artifacts
    only_artifacts = bool(artifacts) and not project.resources and not project.images
    found_images = (
        FoundImages(())
        if only_artifacts
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
    if signatures:
        from airgap.cli.commands.images_signatures import print_signatures

        print_signatures(found_images, project, connection_options, jobs, progress, as_json=as_json)
    elif as_json:
        sites = [_site_json(site) for site in found_images.sites]
        not_taken = [_miss_json(miss) for miss in found_images.misses]
        document = {"sites": sites, "not_taken": not_taken} if why else sites
        say_json(document)
    elif refs:
        for reference in found_images.references():
            say(str(reference))
    elif sizes:
        from airgap.cli.commands.images_sizes import print_sizes

        print_sizes(found_images, project, connection_options, jobs, progress)
    else:
        _print_table(found_images, why=why)
        _print_artifacts(artifacts)
    # Scripts that read the other forms get no more than what makes the list incomplete.
    warnings = found_images.read.warnings() if as_json or refs or sizes or signatures else found_images.warnings()
    _print_messages(warnings, found_images.read.notes(every=walking.strict))
    if not (as_json or refs or sizes or signatures):
        _print_counts(found_images, why=why)
    if error := found_images.incomplete(strict=walking.strict):
        raise error


def _print_table(found_images: FoundImages, *, why: bool) -> None:
    references = found_images.references()
    objects = {file.path for file, _ in found_images.files if not file.carried and file.path != "-"}
    for reference, sites in references.items():
        say(Styled(str(reference), bold=True))
        for site in sites:
            rule = f"   {site.rule}, {site.confidence}: {site.path}" if why else ""
            place = f"{site.file}  {site.path}" if site.file in objects else f"{site.file}:{site.line}"
            say(f"  {place}{rule}")
        if not sites:
            say(tr("  named in airgap.yaml"))
    if why and found_images.misses:
        say(Styled(tr("not taken"), bold=True))
        for miss in found_images.misses:
            say(f"  {miss.file}:{miss.line}   {miss.text[:200]!r}: {miss.reason}   {miss.path}")


def _print_artifacts(entries: Sequence[ArtifactEntry]) -> None:
    """List what airgap.yaml adds to a bundle besides images, by format."""
    for name in dict.fromkeys(entry.format for entry in entries):
        say(Styled(name, bold=True))
        for entry in entries:
            if entry.format == name:
                say(f"  {entry.where}  {entry.summary}")


def _print_counts(found_images: FoundImages, *, why: bool) -> None:
    where = tr(
        "{site_count} in {file_count}",
        site_count=counted(len(found_images.sites), "site"),
        file_count=counted(len(found_images.files), "file"),
    )
    image_count = counted(len(found_images.references()), "image")
    note(tr("{image_count} at {where}", image_count=image_count, where=where))
    if found_images.misses and not why:
        value_count = counted(len(found_images.misses), "value")
        note(tr("{value_count} not taken; --why shows where and why", value_count=value_count))


def _print_messages(warnings: Sequence[str], notes: Sequence[str]) -> None:
    for warning in warnings:
        note(*warning_text(warning, current_reporter().limits))
    for text in notes:
        note(text)


def _miss_json(miss: NearMiss) -> dict[str, object]:
    return {
        "file": miss.file,
        "path": miss.path,
        "line": miss.line,
        "column": miss.column,
        "text": miss.text,
        "reason": miss.reason,
    }


def _site_json(site: Site) -> dict[str, object]:
    return {
        "file": site.file,
        "document": site.document,
        "path": site.path,
        "line": site.line,
        "column": site.column,
        "text": site.text,
        "image": str(site.reference),
        "kind": site.kind,
        "rule": site.rule,
        "confidence": site.confidence,
    }

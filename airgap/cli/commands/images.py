# SPDX-License-Identifier: Apache-2.0
"""``airgap images``."""

from __future__ import annotations

import json

import click

from airgap.cli import options
from airgap.cli.formatting.printable import printable
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import helm_options
from airgap.flows.images import FoundImages, find_images
from airgap.formatting import counted
from airgap.kube import NearMiss, Site
from airgap.kube.render.programs import Rendering


@click.command("images")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@options.as_json
@click.option("--refs", is_flag=True, help="One reference a line, for scripts.")
@click.option("--why", is_flag=True, help="The rule behind each site, and what was not taken and why; with --json too.")
@click.option("--sizes", is_flag=True, help="Ask the registries how much would cross.")
@options.chart_options
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
    ca_file: str | None,
    plain_http: tuple[str, ...],
    insecure: tuple[str, ...],
    config: str | None,
    jobs: int | None,
    progress: str,
    rendering: Rendering,
) -> None:
    """List the images that resource files name, and where.

    PATH is a file, a folder, or - for standard input; without one, the resources of airgap.yaml. A chart (its folder,
    its .tgz or oci://...) is rendered by helm, a folder with a kustomization by kubectl or kustomize.

    \b
    airgap images cert-manager.yaml
    kubectl get deploy,ds,sts -A -o json | airgap images - --refs
    airgap images charts/shop -f production.yaml --set ingress.enabled=true
    """
    if as_json + refs + sizes > 1 or (why and (refs or sizes)):
        raise click.UsageError("choose one of --json, --refs, --why and --sizes; only --json and --why go together")
    if not sizes and (ca_file or plain_http or insecure):
        raise click.UsageError("--ca-file, --plain-http and --insecure go with --sizes: nothing else asks a registry")
    project = load_project(config)
    connection_options = options.source_connection(ca_file, plain_http, insecure)
    found_images = find_images(
        paths or project.resources,
        images=project.images,
        stdin=options.read_stdin,
        rendering=rendering,
        pull=helm_options(project, connection_options),
        rules=project.rules,
    )
    if as_json:
        sites = [_site_json(site) for site in found_images.sites]
        not_taken = [_miss_json(miss) for miss in found_images.misses]
        document = {"sites": sites, "not_taken": not_taken} if why else sites
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif refs:
        for reference in found_images.references():
            click.echo(str(reference))
    elif sizes:
        from airgap.cli.commands.images_sizes import print_sizes

        print_sizes(found_images, project, connection_options, jobs, progress)
    else:
        _print_table(found_images, why=why)


def _print_table(found_images: FoundImages, *, why: bool) -> None:
    references = found_images.references()
    for reference, sites in references.items():
        click.echo(click.style(str(reference), bold=True))
        for site in sites:
            rule = f"   {site.rule}, {site.confidence}: {site.path}" if why else ""
            click.echo(f"  {site.file}:{site.line}{rule}")
        if not sites:
            click.echo("  named in airgap.yaml")
    if why and found_images.misses:
        click.echo(click.style("not taken", bold=True))
        for miss in found_images.misses:
            click.echo(f"  {miss.file}:{miss.line}   {miss.text[:200]!r}: {miss.reason}   {printable(miss.path)}")
    for warning in found_images.warnings():
        click.echo(f"{click.style('warning:', fg='yellow')} {printable(warning)}", err=True)
    where = f"{counted(len(found_images.sites), 'site')} in {counted(len(found_images.files), 'file')}"
    click.echo(f"{counted(len(references), 'image')} at {where}", err=True)
    if found_images.misses and not why:
        click.echo(f"{counted(len(found_images.misses), 'value')} not taken; --why shows where and why", err=True)


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

# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from airgap.bundle import BundleReader, open_bundle
from airgap.bundle.layout_builder import NOTES_MEMBER, PROGRAM_MEMBER
from airgap.bundle.omitted_layers import describe_requirements
from airgap.cli import options
from airgap.cli.formatting.printable import printable
from airgap.formatting import counted, human


@click.command("inspect")
@click.argument("bundle", metavar="BUNDLE")
@options.as_json
@click.option("--html", metavar="FILE", help="Write one page that lists everything.")
@click.option("--csv", metavar="FILE", help="Write a table with a line for each image.")
@options.force
def command(bundle: str, as_json: bool, html: str | None, csv: str | None, force: bool) -> None:
    """Show what a bundle holds. Reads its head alone; `airgap verify` reads all of it.

    \b
    airgap inspect bundle.tar
    airgap inspect bundle.tar --json | jq -r '.images[].reference'
    airgap inspect bundle.tar --html bundle.html --csv bundle.csv
    """
    with open_bundle(bundle) as reader:
        inventory = reader.inventory
        if as_json:
            document = {**inventory.to_json(), "size": reader.size, "volumes": [], "signatures": []}
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
            return
        if html or csv:
            _write_tables(reader, html, csv, force=force)
            return
        title = printable(" ".join(part for part in (inventory.name, inventory.version) if part))
        click.echo(
            f"{bundle}{f': {title}' if title else ''}, {human(reader.size)}, made by {printable(inventory.tool)}"
        )
        click.echo(f"ID {reader.id}")
        for line in describe_requirements(inventory):
            click.echo(printable(line))
        for image in inventory.images:
            click.echo(click.style(str(image.reference), bold=True))
            platforms = ", ".join(map(str, image.platforms)) or "no platform"
            derived = f", derived from {image.derived_from}" if image.derived_from else ""
            incomplete = ", not whole" if image.descriptor.digest in inventory.incomplete else ""
            click.echo(f"  {image.descriptor.digest}\n  {platforms}{derived}{incomplete}")
        for resource in inventory.resources:
            click.echo(f"resource file {printable(resource.name)}")
        for skipped in inventory.skipped:
            click.echo(f"not read for images: {printable(skipped.name)}: {printable(skipped.why)}")
        if PROGRAM_MEMBER in inventory.members:
            click.echo(f"this program: tar xf {bundle} {PROGRAM_MEMBER}")
        counts = {"image": inventory.images, "blob": inventory.blobs, "referrer": inventory.referrers}
        click.echo(", ".join(counted(len(items), noun) for noun, items in counts.items()))
        if NOTES_MEMBER in inventory.members:
            click.echo(printable(reader.member(NOTES_MEMBER).decode("utf-8", "replace"), lines=True))


def _write_tables(reader: BundleReader, html: str | None, csv: str | None, *, force: bool) -> None:
    from airgap.cli.formatting.inventory_table import inventory_csv, inventory_html
    from airgap.durable import output

    contents = {html: inventory_html(reader.inventory, reader.size), csv: inventory_csv(reader.inventory)}
    files = {Path(name): content for name, content in contents.items() if name}
    for path in files:
        output.check_place(path, force=force, option="--html or --csv")
    for path, content in files.items():
        output.write_files(path.parent, [(path.name, content)])
        click.echo(f"wrote {path}", err=True)

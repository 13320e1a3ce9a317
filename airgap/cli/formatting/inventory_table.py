# SPDX-License-Identifier: Apache-2.0
"""The images of a bundle as an HTML page or a CSV table, for people who approve bundles."""

from __future__ import annotations

import csv
import io
from html import escape

from airgap.bundle import Inventory
from airgap.formatting import counted, human
from airgap.i18n import tr

_COLUMNS = ("reference", "digest", "mediaType", "size", "platforms", "derivedFrom")


def _rows(inventory: Inventory) -> list[tuple[str, ...]]:
    return [
        (
            str(image.reference),
            image.descriptor.digest,
            image.descriptor.media_type,
            str(image.descriptor.size),
            " ".join(map(str, image.platforms)),
            image.derived_from,
        )
        for image in inventory.images
    ]


def inventory_csv(inventory: Inventory) -> bytes:
    """Return CSV (RFC 4180) with a header and one line per image. ``size`` is the manifest's, in bytes."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    writer.writerows(_rows(inventory))
    return buffer.getvalue().encode()


def inventory_html(inventory: Inventory, size: int) -> bytes:
    """Return one self-contained page. ``size`` is the bundle's, in bytes."""
    title = escape(" ".join(part for part in (inventory.name, inventory.version) if part) or tr("bundle of airgap"))
    images = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in _rows(inventory))
    files = "".join(f"<li>{escape(resource.name)}</li>\n" for resource in inventory.resources)
    summary = tr(
        "{images}, {blobs} of {blob_size}, in a bundle of {size}, made by {tool}.",
        images=counted(len(inventory.images), "image"),
        blobs=counted(len(inventory.blobs), "blob"),
        blob_size=human(sum(blob.size for blob in inventory.blobs)),
        size=human(size),
        tool=inventory.tool,
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:14px sans-serif;margin:2em}}td,th{{text-align:left;padding:.2em .8em;border-bottom:1px solid #ccc}}
td:nth-child(2),td:nth-child(6){{font:11px monospace}}</style></head><body>
<h1>{title}</h1>
<p>{escape(summary)}</p>
<table><tr>{"".join(f"<th>{name}</th>" for name in _COLUMNS)}</tr>
{images}</table>
<h2>{escape(tr("Resource files"))}</h2>
<ul>
{files}</ul>
</body></html>
""".encode()

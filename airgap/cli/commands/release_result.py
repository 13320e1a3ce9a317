# SPDX-License-Identifier: Apache-2.0
"""What ``airgap release`` prints: what a site must carry, by the release that it has."""

from __future__ import annotations

import math
from typing import Any

from airgap.cli.formatting.columns import display_width, left, right
from airgap.cli.printing import say, say_json
from airgap.events import Noted, Sink
from airgap.flows.release import Released
from airgap.formatting import counted, escaped, human
from airgap.i18n import tr
from airgap.release.sites import SiteNeed, site_needs


def print_result(released: Released, rate: int, *, as_json: bool, dry_run: bool, emit: Sink) -> None:
    """Print the table, or with ``as_json`` the same as data. ``rate`` of media is in bytes per second."""
    needs = site_needs(released.bundles, rate)
    document = released.document
    if as_json:
        say_json(
            {
                "folder": str(released.folder),
                "dry_run": dry_run,
                "bundles": [bundle.to_json() for bundle in released.bundles],
                "files": [file.to_json() for file in document.files] if document else None,
                "sites": [_json(need, released.bundles[0].size) for need in needs],
                "media_rate": rate,
            }
        )
    else:
        for line in _table(needs, rate):
            say(line)
    if dry_run or document is None:
        emit(Noted(tr("would make {folder}", folder=released.folder)))
        return
    count, size = len(document.files) + 1, sum(file.size for file in document.files)
    files = counted(count, "file")
    emit(Noted(tr("{folder}: {files}, {size}", folder=released.folder, files=files, size=human(size))))


def _json(need: SiteNeed, full: int) -> dict[str, Any]:
    return {
        "version": need.version,
        "bundle": need.bundle.id,
        "bytes": need.size,
        "saved": full - need.size,
        "volumes": need.volumes,
        "parity": need.parity,
        "minutes": round(need.minutes, 1),
    }


def _table(needs: list[SiteNeed], rate: int) -> list[str]:
    minutes = tr("minutes at {rate}/s", rate=human(rate))
    has_parity = any(need.parity for need in needs)
    head = (tr("the site has"), tr("bring"), tr("size"), tr("files"), minutes)
    rows = [head, *(_row(need, has_parity=has_parity) for need in needs)]
    widths = [max(display_width(row[column]) for row in rows) for column in range(len(head))]
    return [
        "  ".join(
            (left if column < 2 else right)(cell, width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(need: SiteNeed, *, has_parity: bool) -> tuple[str, ...]:
    files = need.bundle.files
    names = files[0] if len(files) == 1 else f"{files[0]} … {files[-1]}"
    volumes = f"{need.volumes} + {need.parity}" if has_parity else str(need.volumes)
    version = escaped(need.version) if need.version else tr("another, or none")
    return version, names, human(need.size), volumes, str(math.ceil(need.minutes))

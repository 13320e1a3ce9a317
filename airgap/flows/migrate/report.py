# SPDX-License-Identifier: Apache-2.0
"""The result of a migration, and ``--report FILE``: the same as JSON that other programs may rely on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airgap.durable import output
from airgap.errors import OutputError
from airgap.flows.migrate.comparison import Comparison
from airgap.flows.migrate.migration import Failure
from airgap.flows.migrate.registry_view import Tag
from airgap.flows.migrate.source_listing import SourceListing
from airgap.flows.migrate.state import MigrationState
from airgap.i18n import tr
from airgap.records import Record, field

#: How a report begins. It may be large, so it is not read to its end.
_HEAD = re.compile(rb'\s*\{\s*"format": \d+,\s*"source": "[^"]*",\s*"target": ')
_HEAD_SIZE = 16 * 1024


class OneSided(Record):
    """What only one registry has. ``side`` is ``source`` or ``target``; ``name`` is ``repository:tag``, or
    ``repository@digest`` for an untagged manifest."""

    side: str
    name: str
    reason: str


class MigrationReport(Record, frozen=False):
    """The result by tags. In a dry run ``copied`` and ``moved`` are the tags that a real run would copy and move.

    ``untagged`` are the source's manifests without a tag (``repository@digest``); ``None`` if it does not list them.
    """

    source: str
    target: str
    dry_run: bool
    listing: SourceListing
    comparison: Comparison
    copied: list[Tag] = field(default_factory=list)
    moved: list[Tag] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    untagged: list[str] | None = None
    one_sided: list[OneSided] = field(default_factory=list)

    def finalize(self, state: MigrationState, failed: Sequence[Tag]) -> None:
        """Fill ``one_sided``, once everything else is known. ``failed`` are the tags in ``failures``."""
        self.one_sided = [
            OneSided("source", str(tag), tr("left out by the filters")) for tag in self.comparison.excluded
        ]
        self.one_sided += [OneSided("source", str(tag), "failed") for tag in failed if not tag.target_digest]
        if self.dry_run:
            self.one_sided += [OneSided("source", str(tag), tr("would be copied")) for tag in self.copied]
        self.one_sided += [OneSided("source", name, tr("no tag leads to it")) for name in self.untagged or ()]
        for repository, tags in sorted(self.comparison.target_only.items()):
            for name in (f"{repository}:{tag}" for tag in tags):
                was_migrated = name in state.tags
                reason = tr("gone from the source since it was migrated") if was_migrated else tr("not of the source")
                self.one_sided.append(OneSided("target", name, reason))

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "format": 1,
            "source": self.source,
            "target": self.target,
            "dryRun": self.dry_run,
            "listedBy": self.listing.methods,
            "copied": [_tag_to_json(tag) for tag in self.copied],
            "moved": [{**_tag_to_json(tag), "was": tag.target_digest} for tag in self.moved],
            "present": [_tag_to_json(tag) for tag in self.comparison.present],
            "onlyAt": [{"side": entry.side, "name": entry.name, "why": entry.reason} for entry in self.one_sided],
            "digestOnly": self.untagged,
            "componentsOnly": self.listing.components_only,
            "tagsOnly": self.listing.tags_only,
            "unreadable": self.listing.unreadable,
            "failures": [{"image": label, "why": str(error)} for label, error in self.failures],
        }


def check_output(path: Path) -> None:
    """Raise :class:`OutputError` if the report cannot be written to ``path``, or would replace another file."""
    output.check_place(path, force=True, option="--report")
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_SIZE)
    except OSError:
        head = b""
    if _HEAD.match(head) is None:
        raise OutputError(
            tr("a file that is no report of a migration is already there"),
            where=str(path),
            hint=tr("--report names another place"),
        )


def write(path: Path, report: MigrationReport) -> None:
    """Write the report to ``path``. Raises :class:`OutputError`."""
    content = json.dumps(report.to_json(), indent=1, ensure_ascii=False).encode() + b"\n"
    output.write_files(path.parent, [(path.name, content)])


def _tag_to_json(tag: Tag) -> dict[str, Any]:
    date = {"date": tag.date.isoformat(), "datedBy": tag.date_source} if tag.date else {}
    return {"repository": tag.repository, "tag": tag.name, "digest": tag.digest, **date}

# SPDX-License-Identifier: Apache-2.0
"""``--report FILE``: what was done, and what is on one side only, as JSON that other programs may rely on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airgap.durable import output
from airgap.errors import AirgapError, OutputError
from airgap.flows.migrate.compare import Compared, Failure
from airgap.flows.migrate.journal import Memory
from airgap.flows.migrate.listing import Listing
from airgap.flows.migrate.registry_view import Tag
from airgap.records import Record, field


class OneSided(Record):
    """What only one registry has: ``where`` is ``source`` or ``target``; ``name`` is ``repository:tag`` or, for what
    no tag leads to, ``repository@digest``."""

    where: str
    name: str
    why: str


class Account(Record, frozen=False):
    """The outcome, by tags. With ``dry_run`` ``copied`` and ``moved`` are what would be."""

    source: str
    target: str
    dry_run: bool
    listing: Listing
    compared: Compared
    copied: list[Tag] = field(default_factory=list)
    moved: list[Tag] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    #: ``None`` where the source does not list them.
    digest_only: list[str] | None = None
    one_sided: list[OneSided] = field(default_factory=list)

    def settle(self, known: Memory, failed: Sequence[Tag]) -> None:
        """Put together what is on one side only, once all else is known."""
        self.one_sided = [OneSided("source", str(tag), "left out by the filters") for tag in self.compared.left_out]
        self.one_sided += [OneSided("source", str(tag), "failed") for tag in failed if not tag.there]
        if self.dry_run:
            self.one_sided += [OneSided("source", str(tag), "would be copied") for tag in self.copied]
        self.one_sided += [OneSided("source", name, "no tag leads to it") for name in self.digest_only or ()]
        for name, tags in sorted(self.compared.target_only.items()):
            for tag in tags:
                gone = f"{name}:{tag}" in known.tags
                why = "gone from the source since it was migrated" if gone else "not of the source"
                self.one_sided.append(OneSided("target", f"{name}:{tag}", why))

    def document(self) -> dict[str, Any]:
        listing = self.listing
        return {
            "format": 1,
            "source": self.source,
            "target": self.target,
            "dryRun": self.dry_run,
            "listedBy": listing.by,
            "copied": [_tag(tag) for tag in self.copied],
            "moved": [{**_tag(tag), "was": tag.there} for tag in self.moved],
            "present": [_tag(tag) for tag in self.compared.present],
            "onlyAt": [{"side": one.where, "name": one.name, "why": one.why} for one in self.one_sided],
            "digestOnly": self.digest_only,
            "componentsOnly": listing.components_only,
            "tagsOnly": listing.tags_only,
            "unreadable": listing.unreadable,
            "failures": [{"image": label, "why": str(error)} for label, error in self.failures],
        }


def check_place(path: Path) -> None:
    """Raise :class:`OutputError` where the report would replace something else, before any work is done for it."""
    output.check_place(path, force=True, option="--report")
    if not path.exists():
        return
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not {"format", "source", "target", "onlyAt"} <= document.keys():
        raise OutputError(
            "a file that is no report of a migration is already there",
            where=str(path),
            hint="--report names another place",
        )


def write(path: Path, account: Account) -> None:
    content = json.dumps(account.document(), indent=1, ensure_ascii=False).encode() + b"\n"
    output.write_files(path.parent, [(path.name, content)])


def _tag(tag: Tag) -> dict[str, Any]:
    dated = {"date": tag.date.isoformat(), "datedBy": tag.dated_by} if tag.date else {}
    return {"repository": tag.repository, "tag": tag.name, "digest": tag.digest, **dated}


def failed_tags(tags: Sequence[Tag], failures: Sequence[tuple[str, AirgapError]], label: Any) -> list[Tag]:
    """Those of ``tags`` that ``failures`` name, by their labels."""
    names = {name for name, _ in failures}
    return [tag for tag in tags if label(tag.repository, tag.name) in names]

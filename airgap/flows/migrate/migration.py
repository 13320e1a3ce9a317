# SPDX-License-Identifier: Apache-2.0
"""What every step of one migration shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from airgap.errors import AirgapError
from airgap.flows.migrate.journal import MigrationJournal
from airgap.flows.migrate.registry_view import RegistryView, Tag
from airgap.flows.migrate.tag_filter import TagFilter
from airgap.records import Record, field
from airgap.targets import TargetAddress
from airgap.transfer import Context, parallel_map
from airgap.transfer.pool import Item, Result

#: The label of a tag, and why it was not migrated.
Failure = tuple[str, AirgapError]


class MigrateRequest(Record):
    """What the user asked for. ``nexus`` is the address of the source's Nexus, or empty.

    ``delta`` replaces tags at the target that an earlier run pushed; ``overwrite`` replaces any tag.
    """

    source: TargetAddress
    target: TargetAddress
    tag_filter: TagFilter = field(default_factory=TagFilter)
    nexus: str = ""
    delta: bool = False
    overwrite: bool = False
    keep_going: bool = False
    dry_run: bool = False


class Migration(Record):
    """The request, both registries, the journal and the context of one run."""

    request: MigrateRequest
    source: RegistryView
    target: RegistryView
    journal: MigrationJournal
    context: Context

    def map(
        self, items: Iterable[Item], work: Callable[[Item], Result], *, keep_going: bool = False
    ) -> list[Result | AirgapError]:
        """Call ``work`` for every item, several at a time; see :func:`airgap.transfer.parallel_map`."""
        context = self.context
        return parallel_map(items, work, workers=context.jobs.control, cancel=context.cancel, keep_going=keep_going)

    def failures(self, tags: list[Tag], work: Callable[[Tag], None]) -> list[tuple[Tag, AirgapError]]:
        """Call ``work`` for every tag, several at a time; return the tags for which it failed."""
        results = self.map(tags, work, keep_going=True)
        return [(tag, error) for tag, error in zip(tags, results, strict=True) if isinstance(error, AirgapError)]

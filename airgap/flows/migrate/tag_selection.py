# SPDX-License-Identifier: Apache-2.0
"""Which of the listed tags to migrate: those that exist at the source and pass the filter."""

from __future__ import annotations

from airgap.errors import AirgapError, NotFound
from airgap.events import Noted, Warned
from airgap.flows.migrate.image_dates import read_dates
from airgap.flows.migrate.migration import Migration
from airgap.flows.migrate.registry_view import Tag
from airgap.i18n import tr
from airgap.records import Record, field

_DATE_SOURCES = {"lastModified": "Nexus's lastModified", "created": tr("those in the images' configs")}


class TagSelection(Record, frozen=False):
    """The tags to migrate, those that the filter excludes, and those that cannot be read."""

    selected: list[Tag] = field(default_factory=list)
    excluded: list[Tag] = field(default_factory=list)
    failures: list[tuple[Tag, AirgapError]] = field(default_factory=list)


def select_tags(migration: Migration, tags: list[Tag]) -> TagSelection:
    """Set the digests of ``tags``, and their dates if the filter needs them; then apply the filter."""
    selection = TagSelection()
    tag_filter, emit = migration.request.tag_filter, migration.context.emit
    selection.failures = _resolve(migration, tags)
    tags = _without(tags, [tag for tag, _ in selection.failures])
    if tag_filter.needs_dates:
        undatable = read_dates(migration, tags)
        selection.failures += undatable
        tags = _without(tags, [tag for tag, _ in undatable])
        date_sources = sorted({tag.date_source for tag in tags} - {""})
        used = " and ".join(_DATE_SOURCES[date_source] for date_source in date_sources)
        emit(Noted(tr("dates are {used}", used=used or tr("told by nothing"))))
    by_repository: dict[str, list[Tag]] = {}
    for tag in tags:
        by_repository.setdefault(tag.repository, []).append(tag)
    undated: list[Tag] = []
    for repository_tags in by_repository.values():
        selected, selected_undated = tag_filter.select(repository_tags)
        selection.selected += sorted(selected, key=lambda tag: tag.name)
        selection.excluded += _without(repository_tags, selected)
        undated += selected_undated
    if undated:
        more = tr(" and {undated_count} more", undated_count=len(undated) - 3) if len(undated) > 3 else ""
        names = ", ".join(map(str, undated[:3]))
        emit(Warned(tr("{names}{more}: nothing tells a date, so they are taken", names=names, more=more)))
    return selection


def _resolve(migration: Migration, tags: list[Tag]) -> list[tuple[Tag, AirgapError]]:
    """Ask the source for the digests of the tags. With ``--delta`` digests from Nexus's components are trusted."""
    source = migration.source

    def resolve(tag: Tag) -> None:
        digest = source.resolve(tag)
        if not digest:
            raise NotFound(
                tr("the source lists this tag and has no manifest for it"),
                where=source.tag_label(tag),
                hint=tr("leave it out by --exclude, or go on without it by --keep-going"),
            )
        if tag.digest not in ("", digest):
            tag.date = None  # Nexus gave the date of another image
        tag.digest = digest

    return migration.failures([tag for tag in tags if not (migration.request.delta and tag.digest)], resolve)


def _without(tags: list[Tag], removed: list[Tag]) -> list[Tag]:
    removed_tags = set(removed)
    return [tag for tag in tags if tag not in removed_tags]

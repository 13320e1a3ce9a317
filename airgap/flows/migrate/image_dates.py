# SPDX-License-Identifier: Apache-2.0
"""When images were built, by ``created`` in their configs. Only asked for tags to which Nexus gives no date."""

from __future__ import annotations

from collections.abc import Sequence

from airgap import bounded_json, limits
from airgap.errors import AirgapError, NotFound
from airgap.flows.migrate.migration import Migration
from airgap.flows.migrate.registry_view import ListableRepository, Tag
from airgap.flows.migrate.tag_filter import real_date
from airgap.oci import dates
from airgap.store.readers import fetch

#: How many levels of nested indexes are read to find a config.
_MAX_DEPTH = 3


def read_dates(migration: Migration, tags: Sequence[Tag]) -> list[tuple[Tag, AirgapError]]:
    """Set the date of every tag that has none; return the tags for which that failed.

    The journal keeps the dates, so each image is read only once, over all runs.
    """
    dates_by_digest = migration.journal.state.dates
    unread = {tag.digest: tag for tag in tags if tag.date is None and tag.digest not in dates_by_digest}

    def read(tag: Tag) -> str:
        return _created(migration.source.repository(tag.repository), tag.digest, _MAX_DEPTH)

    failures = {}
    for digest, result in zip(unread, migration.map(unread.values(), read, keep_going=True), strict=True):
        if isinstance(result, AirgapError):
            failures[digest] = result
        else:
            migration.journal.add_date(digest, result)
    for tag in tags:
        if tag.date is None:
            tag.date = real_date(dates.parse(dates_by_digest.get(tag.digest, "")))
            tag.date_source = "created" if tag.date else ""
    return [(tag, failures[tag.digest]) for tag in tags if tag.digest in failures]


def _created(repository: ListableRepository, digest: str, depth: int) -> str:
    """``created`` in the image's config (image-spec config.md); of an index, that of its first image. Empty if there is
    none."""
    manifest = repository.manifest(digest)
    for child in manifest.children if depth else ():
        if child.platform is None or child.platform.is_known:
            return _created(repository, child.digest, depth - 1)
    if manifest.config is None or not manifest.is_container_image:
        return ""
    try:
        content = fetch(repository, manifest.config, limit=limits.value("config-bytes"))
    except NotFound:
        return ""
    document = bounded_json.parse(content, "config", where=f"{repository}@{digest}")
    created = document.get("created") if isinstance(document, dict) else None
    return created if isinstance(created, str) and len(created) < 64 else ""

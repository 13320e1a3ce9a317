# SPDX-License-Identifier: Apache-2.0
"""When an image was made, by its own config; asked only where Nexus does not say when it was last changed."""

from __future__ import annotations

import json
from collections.abc import Sequence

from airgap.errors import AirgapError, ContentError, NotFound
from airgap.flows.migrate.journal import MigrationJournal
from airgap.flows.migrate.registry_view import Listed, Side, Tag
from airgap.flows.migrate.tag_filter import meant
from airgap.oci import dates
from airgap.store.base import fetch
from airgap.transfer import Context, parallel_map
from airgap.transfer.graph import MAX_CONFIG

#: Indexes in indexes; deeper nobody looks for a date.
_DEPTH = 3


def date(
    source: Side, tags: Sequence[Tag], journal: MigrationJournal, context: Context
) -> list[tuple[Tag, AirgapError]]:
    """Fill in ``date`` of those tags that have none, each image asked once ever; what went wrong is given back."""
    wanted = {tag.digest: tag for tag in tags if tag.date is None and tag.digest not in journal.known.dates}

    def ask(tag: Tag) -> str:
        return _created(source.repository(tag.repository), tag.digest, _DEPTH)

    failures = {}
    answers = parallel_map(wanted.values(), ask, workers=context.jobs.control, cancel=context.cancel, keep_going=True)
    for digest, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, AirgapError):
            failures[digest] = answer
        else:
            journal.date(digest, answer)
    for tag in tags:
        if tag.date is None:
            tag.date = meant(dates.read(journal.known.dates.get(tag.digest, "")))
            tag.dated_by = "created" if tag.date else ""
    return [(tag, failures[tag.digest]) for tag in tags if tag.digest in failures]


def _created(repository: Listed, digest: str, depth: int) -> str:
    """``created`` of the config (image-spec config.md), of an index its first image's; empty where there is none."""
    manifest = repository.manifest(digest)
    for child in manifest.children if depth else ():
        if child.platform is None or child.platform.known:
            return _created(repository, child.digest, depth - 1)
    if manifest.config is None or not manifest.is_container_image:
        return ""
    try:
        document = json.loads(fetch(repository, manifest.config, limit=MAX_CONFIG))
    except (ValueError, RecursionError) as error:
        raise ContentError("the image's config is no JSON", where=f"{repository}@{digest}") from error
    except NotFound:
        return ""
    created = document.get("created") if isinstance(document, dict) else None
    return created if isinstance(created, str) and len(created) < 64 else ""

# SPDX-License-Identifier: Apache-2.0
"""Manifests of the source that no tag leads to. A migration copies tags, and so leaves them behind."""

from __future__ import annotations

from collections.abc import Iterable

from airgap.errors import AirgapError
from airgap.flows.migrate.migration import Migration
from airgap.flows.migrate.source_listing import SourceListing
from airgap.oci import Descriptor
from airgap.oci.manifest import INDEXES

#: How many levels of nested indexes are followed.
_MAX_DEPTH = 4


def find_untagged(migration: Migration, listing: SourceListing) -> list[str] | None:
    """``repository@digest`` of every untagged manifest; ``None`` if the source does not list manifests by digest.

    Indexes whose children the journal does not have are read from the source.
    """
    if listing.components is None:
        return None
    untagged = []
    children = migration.journal.state.children
    for name, digests in sorted(listing.components.manifests.items()):
        media_types = listing.components.media_types.get(name, {})
        unreached = digests - media_types.keys()
        indexes = [digest for digest, media_type in media_types.items() if media_type in INDEXES]
        for _ in range(_MAX_DEPTH):
            if not unreached or not indexes:
                break
            _read_children(migration, name, indexes)
            reached = {child for digest in indexes for child in children.get(digest, ())}
            # Nested indexes were recorded together with the index above: a child without children is an image.
            indexes = [child for child in reached if children.get(child)]
            unreached -= reached
        untagged += [f"{name}@{digest}" for digest in sorted(unreached)]
    return untagged


def _read_children(migration: Migration, name: str, indexes: Iterable[str]) -> None:
    """Record the children of indexes, and of the indexes below them, in the journal. Unreadable ones are skipped."""
    source, journal = migration.source, migration.journal
    unread = [digest for digest in indexes if digest not in journal.state.children]

    def read(index: str) -> dict[str, list[str]]:
        children_by_index, level = {}, [index]
        for _ in range(_MAX_DEPTH):
            children: list[Descriptor] = []
            for digest in level:
                manifest = source.repository(name).manifest(digest)
                children_by_index[manifest.descriptor.digest] = [child.digest for child in manifest.children]
                children += manifest.children
            level = [child.digest for child in children if child.media_type in INDEXES]
        return children_by_index

    for result in migration.map(unread, read, keep_going=True):
        if not isinstance(result, AirgapError):
            for digest, children in result.items():
                journal.add_index(digest, children)

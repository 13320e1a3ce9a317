# SPDX-License-Identifier: Apache-2.0
"""Manifests that the source keeps and no tag leads to: a migration by tags leaves them behind, and says so."""

from __future__ import annotations

from collections.abc import Iterable

from airgap.errors import AirgapError
from airgap.flows.migrate.journal import MigrationJournal
from airgap.flows.migrate.listing import Listing
from airgap.flows.migrate.registry_view import Side
from airgap.oci.manifest import INDEXES
from airgap.transfer import Context, parallel_map

#: Indexes in indexes.
_DEPTH = 4


def digest_only(source: Side, listing: Listing, journal: MigrationJournal, context: Context) -> list[str] | None:
    """``repository@digest`` of each, ``None`` where the source does not list what it keeps by digest.

    An index that was never read is read to know its children, of which the journal keeps those that lead further.
    """
    if listing.by_digest is None:
        return None
    found = []
    for name, kept in sorted(listing.by_digest.items()):
        tagged = listing.tagged.get(name, {})
        left = kept - tagged.keys()
        level = [digest for digest, kind in tagged.items() if kind in INDEXES]
        for _ in range(_DEPTH):
            if not left or not level:
                break
            _read(source, name, level, journal, context)
            below = {child for digest in level for child in journal.known.children.get(digest, ())}
            # Children that are not known to lead anywhere were images when their index was read.
            level = [child for child in below if journal.known.children.get(child)]
            left -= below
        found += [f"{name}@{digest}" for digest in sorted(left)]
    return found


def _read(source: Side, name: str, digests: Iterable[str], journal: MigrationJournal, context: Context) -> None:
    unknown = [digest for digest in digests if digest not in journal.known.children]

    def children(digest: str) -> list[tuple[str, list[str]]]:
        """Of an index, and of indexes that it lists."""
        pairs, wanted = [], [digest]
        for _ in range(_DEPTH):
            manifests = [source.repository(name).manifest(one) for one in wanted]
            pairs += [(one.descriptor.digest, [child.digest for child in one.children]) for one in manifests]
            wanted = [child.digest for one in manifests for child in one.children if child.media_type in INDEXES]
        return pairs

    answers = parallel_map(unknown, children, workers=context.jobs.control, cancel=context.cancel, keep_going=True)
    for answer in answers:
        if not isinstance(answer, AirgapError):
            for digest, found in answer:
                journal.index(digest, found)

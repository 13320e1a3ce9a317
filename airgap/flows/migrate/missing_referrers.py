# SPDX-License-Identifier: Apache-2.0
"""Signatures and other referrers that the source's referrers API lists and the target lacks."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import AirgapError
from airgap.flows.migrate.migration import Migration
from airgap.flows.migrate.registry_view import Tag
from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_MANIFEST

#: Referrers may have referrers; so many levels are read.
_MAX_DEPTH = 3


def find_missing_referrers(migration: Migration, tags: Sequence[Tag], referrers: dict[str, list[str]]) -> set[Tag]:
    """The tags whose image the target has, but not all of its referrers.

    Fills ``referrers``, by the digest of the subject, for all ``tags``. The first tag shows whether the source has the
    referrers API; if not, the others are not asked for.
    """
    if not tags:
        return set()

    def lacks_referrers(tag: Tag) -> bool:
        subjects = [tag.digest]
        for _ in range(_MAX_DEPTH):
            for digest in subjects:
                if digest not in referrers:
                    referrers[digest] = migration.source.referrers(tag.repository, digest)
            subjects = [referrer for digest in subjects for referrer in referrers[digest]]
        if tag.target_digest != tag.digest:
            return False
        subjects = [tag.digest, *referrers[tag.digest]]
        needed = [referrer for digest in subjects for referrer in referrers.get(digest, ())]
        repository = migration.target.repository(tag.repository)
        return not all(repository.exists(Descriptor(OCI_MANIFEST, digest, 0)) for digest in needed)

    first, *others = tags
    results: dict[Tag, bool | AirgapError] = {first: lacks_referrers(first)}
    if migration.source.has_referrers_api:
        results.update(zip(others, migration.map(others, lacks_referrers), strict=True))
    return {tag for tag, is_incomplete in results.items() if is_incomplete is True}

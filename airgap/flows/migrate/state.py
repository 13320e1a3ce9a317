# SPDX-License-Identifier: Apache-2.0
"""What is known of a pair of registries from earlier runs, and from this one so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airgap.oci import digest as digests
from airgap.records import Record, field


class MigrationState(Record, frozen=False):
    """Facts that never change, or that are checked again before use.

    ``tags``: the target's digest by ``repository:tag``, relative to the prefix. ``blobs``: a repository of the target
    by digest. ``dates`` by digest; empty for an image without one. ``children`` of indexes by digest.
    """

    tags: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Add what one line of the journal says. Invalid lines are ignored."""
        digest = entry.get("digest")
        if not isinstance(digest, str) or digests.problem(digest):
            return
        tag, repository, date, children = (entry.get(key) for key in ("tag", "repository", "created", "children"))
        if isinstance(tag, str):
            self.tags[tag] = digest
        elif isinstance(repository, str):
            self.blobs[digest] = repository
        elif isinstance(date, str):
            self.dates[digest] = date
        elif isinstance(children, list):
            self.children[digest] = [child for child in children if isinstance(child, str)]

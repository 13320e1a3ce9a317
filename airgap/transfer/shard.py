# SPDX-License-Identifier: Apache-2.0
"""``--shard I/N``: one part of the blobs of an import, for machines that share the work."""

from __future__ import annotations

import re

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record


class Shard(Record):
    """Part ``index`` (from 0) of ``count``, written ``0/4``."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``INDEX/COUNT``. Raises :class:`UsageError` for anything else."""
        match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
        shard = cls(int(match[1]), int(match[2])) if match else None
        if shard is None or shard.index >= shard.count:
            raise UsageError(
                tr("--shard {text} is none", text=text[:40]), hint=tr("four shards are 0/4, 1/4, 2/4 and 3/4")
            )
        return shard

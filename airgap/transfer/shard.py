# SPDX-License-Identifier: Apache-2.0
"""``--shard I/N``: one part of the blobs of an import, for machines that share the work. The parts are of about one
size and follow from the bundle alone, so that machines that know nothing of one another agree on them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterable

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.records import Record
from airgap.transfer.plan import Plan


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

    def select(self, needed: Plan, everything: Plan, omitted: Collection[str] = ()) -> Plan:
        """Return the blobs of ``needed`` that this shard sends, and nothing else.

        The shards divide the blobs of ``everything``, the plan of the whole bundle, because what is needed depends on
        what the target has when each of them starts. Blobs with a digest in ``omitted`` are at the target already and
        are only mounted there; they are divided separately, so that their sizes do not count.
        """
        descriptors = [job.descriptor for job in everything.blobs.values()]
        shards = divide((blob for blob in descriptors if blob.digest not in omitted), self.count)
        shards |= divide((blob for blob in descriptors if blob.digest in omitted), self.count)
        blobs = {digest: job for digest, job in needed.blobs.items() if shards[digest] == self.index}
        return Plan(inline_blobs=needed.inline_blobs, blobs=blobs)


def divide(blobs: Iterable[Descriptor], count: int) -> dict[str, int]:
    """Return the shard, from 0 to ``count`` - 1, of each blob by its digest.

    The largest blob comes first, and each goes to the shard that has the fewest bytes so far (Graham's LPT rule). The
    largest shard without its smallest blob is therefore never above the mean. The order of ``blobs`` does not matter.
    """
    loads = [(0, index) for index in range(count)]
    shards: dict[str, int] = {}
    for blob in sorted(blobs, key=lambda blob: (-blob.size, blob.digest)):
        load, index = loads[0]
        shards[blob.digest] = index
        heapq.heapreplace(loads, (load + blob.size, index))
    return shards

# SPDX-License-Identifier: Apache-2.0
"""How a copy behaves, and what it did."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import AirgapError
from airgap.oci import Descriptor
from airgap.records import Record, field
from airgap.transfer.existing import ExistingContent
from airgap.transfer.graph import Root


class CopyOptions(Record):
    """How a copy behaves. With ``keep_going`` a failing image does not stop the copy; it is listed in the report.

    ``verb`` is the word of events for a blob that moved: ``fetched`` or ``pushed``. Blobs go one after another in
    ``order`` if it is given, else several at a time, the largest first. Targets are not asked again about content in
    ``existing``.
    """

    keep_going: bool = False
    verb: str = "pushed"
    order: Sequence[Descriptor] | None = None
    existing: ExistingContent | None = None


class Report(Record, frozen=False):
    """What a copy did: numbers of blobs and their bytes.

    ``mounted`` counts repositories that a blob was mounted into. ``resumed`` counts the moved blobs that continued an
    earlier run; ``resumed_bytes`` were already there and are not part of ``moved_bytes``. ``seconds`` is the duration.
    """

    moved: int = 0
    moved_bytes: int = 0
    resumed: int = 0
    resumed_bytes: int = 0
    mounted: int = 0
    mounted_bytes: int = 0
    skipped: int = 0
    skipped_bytes: int = 0
    manifests: int = 0
    seconds: float = 0.0
    failures: list[tuple[Root, AirgapError]] = field(default_factory=list)

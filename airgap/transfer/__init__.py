# SPDX-License-Identifier: Apache-2.0
"""Plan what must move, then move it: the only room that starts threads for transfers.

``plan`` walks manifests and ends with every digest once, its sizes, where it comes from and where it
must go. ``copy`` moves blobs in parallel, then manifests, children before parents and tags last. The
same two serve export, import and any other pair of stores; the room knows neither tar nor HTTP.
"""

from airgap.transfer.engine import Report, copy
from airgap.transfer.existing import Holdings, find
from airgap.transfer.graph import Destination, Image, Root
from airgap.transfer.plan import Plan, plan, shard_of
from airgap.transfer.pool import Jobs, Stop, each
from airgap.transfer.progress import Meter
from airgap.transfer.tags import confirm, survey

__all__ = [
    "Destination",
    "Holdings",
    "Image",
    "Jobs",
    "Meter",
    "Plan",
    "Report",
    "Root",
    "Stop",
    "confirm",
    "copy",
    "each",
    "find",
    "plan",
    "shard_of",
    "survey",
]

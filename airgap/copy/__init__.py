# SPDX-License-Identifier: Apache-2.0
"""Plan what must move, then move it: the only room that starts threads for transfers.

``plan`` walks manifests and ends with every digest once, its sizes, where it comes from and where it
must go. ``copy`` moves blobs in parallel, then manifests, children before parents and tags last. The
same two serve export, import and any other pair of stores; the room knows neither tar nor HTTP.
"""

from airgap.copy.engine import Report, copy
from airgap.copy.holdings import Holdings, find
from airgap.copy.meter import Meter
from airgap.copy.plan import Plan, plan, shard_of
from airgap.copy.tags import confirm, survey
from airgap.copy.walk import Destination, Image, Root
from airgap.copy.workers import Jobs, Stop, each

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

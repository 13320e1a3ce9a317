# SPDX-License-Identifier: Apache-2.0
"""Plan what must move, then move it: the only room that starts threads for transfers.

``graph`` reads manifests; ``plan`` ends with every digest once, its size, where it comes from and where it must go;
``engine`` moves blobs in parallel, then manifests, children before parents and tags last. ``existing`` and ``tags``
find out what a target holds. The same code serves export, import and any other pair of stores; the room knows neither
tar nor HTTP.
"""

from airgap.transfer.context import Context
from airgap.transfer.engine import copy
from airgap.transfer.existing import ExistingContent, find_existing_content
from airgap.transfer.graph import Destination, Image, Root
from airgap.transfer.plan import Plan, plan
from airgap.transfer.pool import CancelToken, Jobs, parallel_map
from airgap.transfer.progress import Meter
from airgap.transfer.report import CopyOptions, Report
from airgap.transfer.tags import resolve_tags, verify_tags

__all__ = [
    "CancelToken",
    "Context",
    "CopyOptions",
    "Destination",
    "ExistingContent",
    "Image",
    "Jobs",
    "Meter",
    "Plan",
    "Report",
    "Root",
    "copy",
    "find_existing_content",
    "parallel_map",
    "plan",
    "resolve_tags",
    "verify_tags",
]

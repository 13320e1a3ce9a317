# SPDX-License-Identifier: Apache-2.0
"""What an export writes into its bundle."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.bundle import Inventory
from airgap.bundle.tar import TarLayout
from airgap.records import Record
from airgap.store.protocols import Source
from airgap.transfer import Plan


class BundleContent(Record):
    """The plan of a bundle, the sources of its blobs, and where they lie. ``summary`` are lines for its end."""

    plan: Plan
    sources: Mapping[str, Source]
    inventory: Inventory
    layout: TarLayout
    summary: tuple[str, ...] = ()

# SPDX-License-Identifier: Apache-2.0
"""What must be carried to a site, by the release that it has."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.records import Record
from airgap.release.document import ReleaseBundle


class SiteNeed(Record):
    """What a site with the release ``version`` needs; ``None`` stands for any other and for none.

    ``size`` is in bytes, of the data alone. ``volumes`` and ``parity`` are numbers of files, ``minutes`` the time to
    copy the data at the rate that was asked for.
    """

    version: str | None
    bundle: ReleaseBundle
    size: int
    volumes: int
    parity: int
    minutes: float


def site_needs(bundles: Sequence[ReleaseBundle], rate: int) -> list[SiteNeed]:
    """Return what each site needs, those with the newest release first. ``rate`` is in bytes per second."""
    full, *differentials = bundles
    return [
        SiteNeed(
            bundle.since.version if bundle.since else None,
            bundle,
            bundle.size,
            len(bundle.files),
            len(bundle.parity),
            bundle.size / rate / 60,
        )
        for bundle in (*differentials, full)
    ]

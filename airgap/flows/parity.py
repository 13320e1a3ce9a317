# SPDX-License-Identifier: Apache-2.0
"""``airgap repair --parity``: adds parity volumes to a bundle whose volumes are all there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import open_bundle
from airgap.bundle.media.checksums import checksums_path, refresh_csv
from airgap.bundle.media.volume_names import bundle_path
from airgap.bundle.parity import listed_volumes, make_parity, parity_paths
from airgap.errors import BundleError
from airgap.flows.verify import verify
from airgap.i18n import tr
from airgap.transfer import Context


def add_parity(paths: Sequence[Path], count: int, context: Context, *, dry_run: bool = False) -> Sequence[Path]:
    """Make ``count`` parity volumes of a bundle whose volumes are all there, such as those that machines made one by
    one, and return their paths. Every byte of the bundle is verified first.

    Raises :class:`BundleError` for a bundle that has parity volumes already or is not in volumes, and what
    :func:`airgap.flows.verify.verify` raises.
    """
    with open_bundle(paths[0], more=paths[1:]) as bundle:
        volumes = [Path(file) for file in bundle.files]
        if not bundle.is_split:
            raise BundleError(
                tr("--parity adds volumes to a bundle in volumes"),
                where=str(bundle.path),
                hint=tr("give --volume-size too: 4.7GB, 25GiB, fat32"),
            )
        verify(bundle, context)
    listed = listed_volumes(volumes[0])
    if listed is not None and len(listed[2]) != count:
        raise BundleError(
            tr("the bundle has {count} parity volumes already", count=len(listed[2])),
            where=str(listed[2][0]),
            hint=tr("delete them and their lines in {checksums} first", checksums=checksums_path(listed[0])),
        )
    path = bundle_path(volumes[0])
    if dry_run:
        return parity_paths(path, count)
    made = make_parity(path, volumes, count, lambda _: context.cancel.check())
    refresh_csv(path)
    return made

# SPDX-License-Identifier: Apache-2.0
"""The folder of a release where a command takes a bundle: it stands for the release's full bundle."""

from __future__ import annotations

from pathlib import Path

from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.release.at_hand import full_bundle, inventory_file, open_release, release_folder


def bundle_in(argument: str) -> str:
    """Return the full bundle of the release in the folder ``argument``: its file, or the first of its volumes. Any
    other argument is returned as it is.

    Raises :class:`airgap.errors.ContentMissing` if a file of the bundle is not there.
    """
    folder = release_folder(argument) if argument != "-" else None
    return argument if folder is None else str(full_bundle(open_release(folder))[0])


def document_in(argument: str) -> str:
    """Return the ``bundle.json`` of a release's full bundle, if it is in the folder; else as :func:`bundle_in`."""
    folder = release_folder(argument) if argument != "-" else None
    if folder is None:
        return argument
    release = open_release(folder)
    document = inventory_file(release, release.release.full)
    return str(document or full_bundle(release)[0])


def volumes_with_parity(argument: str) -> list[list[Path]] | None:
    """Return, for each bundle of a release with parity, a volume that is there; ``None`` for other arguments.

    Raises :class:`BundleError` for a release without parity.
    """
    folder = release_folder(argument)
    if folder is None:
        return None
    bundles = open_release(folder).release.bundles
    names = [[folder / name for name in (*bundle.files, *bundle.parity)] for bundle in bundles if bundle.parity]
    sets = [[next(path for path in paths if path.exists())] for paths in names if any(path.exists() for path in paths)]
    if not sets:
        raise BundleError(
            tr("no bundle of this release has parity volumes here"),
            where=str(folder),
            hint=tr("copy the files that are missing once more from the other side"),
        )
    return sets

# SPDX-License-Identifier: Apache-2.0
"""Opens a bundle, in whatever form it is: one file, volumes, a folder, sealed, compressed, or standard input."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.bundle.folder.medium import FolderMedium
from airgap.bundle.head import BundleHead
from airgap.bundle.media import AskForVolume, Medium, open_listed, open_medium
from airgap.bundle.media.stream import PipeMedium
from airgap.bundle.reader import STANDARD_INPUT, BundleReader
from airgap.bundle.tar import END
from airgap.errors import AirgapError

if TYPE_CHECKING:
    from airgap.bundle.media.sealed import Unseal


def open_bundle(
    path: str | os.PathLike[str],
    *,
    more: Sequence[str | os.PathLike[str]] = (),
    ask: AskForVolume | None = None,
    unseal: Unseal | None = None,
) -> BundleReader:
    """Open a bundle and check its head.

    ``path`` is a file, any one of its volumes, a folder, or ``-`` for standard input. ``more`` are volumes in other
    folders, and ``ask`` is called for volumes that are missing, ``unseal`` for the key of a sealed bundle. Raises
    :class:`BundleError` for a damaged bundle and for other files.
    """
    shown_path = STANDARD_INPUT if str(path) == "-" else Path(path)
    return _open_shown(shown_path, lambda: _open_medium([Path(path), *map(Path, more)], ask, unseal))


def open_files(
    paths: Sequence[Path], ask: AskForVolume | None, unseal: Unseal | None, *, partial: bool
) -> BundleReader:
    """Open the bundle in exactly these files, volumes in order. With ``partial`` all but the first may be missing."""
    return _open_shown(paths[0], lambda: open_listed(paths, ask, unseal, partial=partial))


def _open_shown(shown_path: Path, open_: Callable[[], Medium]) -> BundleReader:
    """Open a bundle; its errors begin with ``shown_path``."""
    try:
        medium = open_()
        try:
            return _open_reader(shown_path, medium)
        except BaseException:
            medium.close()
            raise
    except AirgapError as error:
        if str(shown_path) not in (error.where or ""):
            error.where = f"{shown_path}: {error.where}" if error.where else str(shown_path)
        raise


def _open_medium(paths: Sequence[Path], ask: AskForVolume | None, unseal: Unseal | None) -> Medium:
    if len(paths) == 1 and paths[0].is_dir():
        return FolderMedium.open(paths[0])
    return open_medium(paths, ask, unseal)


def _open_reader(path: Path, medium: Medium) -> BundleReader:
    head = BundleHead.read(medium, str(path))
    medium.expect_size(head.blobs_end + len(END))
    head.check_members()
    reader = BundleReader(path, medium, head, head.read_index())
    if not reader.signatures_come_last:
        reader.signatures()
    if isinstance(medium, PipeMedium):
        medium.stop_keeping(reader.documents_end())
    return reader

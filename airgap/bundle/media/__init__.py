# SPDX-License-Identifier: Apache-2.0
"""How a tar is stored: as one file, as volumes, as zstd frames, sealed, or in a pipe.

The modules here map offsets in the tar to bytes in files. They do not know what a tar member is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.bundle.media.base import Draft, Medium
from airgap.bundle.media.file import FileDraft, FileMedium, open_regular_file, partial_path
from airgap.bundle.media.volumes import AskForVolume, VolumesMedium, find_volumes
from airgap.bundle.media.zstd import MAGIC
from airgap.errors import AirgapError
from airgap.trust.age_header import MAGIC as AGE_MAGIC

if TYPE_CHECKING:
    from airgap.bundle.media.sealed import Unseal

__all__ = ["AskForVolume", "Draft", "FileDraft", "Medium", "open_listed", "open_medium", "partial_path"]

STDIN = "-"


def open_medium(paths: Sequence[Path], ask: AskForVolume | None = None, unseal: Unseal | None = None) -> Medium:
    """Open the tar in a file, in volumes, or in standard input, which is the path ``-``.

    Any volume of a bundle is enough if the others lie beside it. ``ask`` is called for a volume that is missing,
    ``unseal`` for the key of a sealed bundle. Raises :class:`BundleError`.
    """
    if [str(path) for path in paths] == [STDIN]:
        from airgap.bundle.media.stream import open_pipe

        return open_pipe(sys.stdin.fileno(), "standard input")
    volumes = find_volumes(paths, ask)
    if volumes is not None:
        return _open_sealed(volumes, unseal)
    fd, size = open_regular_file(paths[0])
    medium = FileMedium(str(paths[0]), fd, size)
    try:
        if medium.pread(len(MAGIC), 0) == MAGIC:
            return _open_compressed(medium, fd, size)
    except AirgapError:
        medium.close()
        raise
    return _open_sealed(medium, unseal)


def open_listed(
    paths: Sequence[Path], ask: AskForVolume | None, unseal: Unseal | None, *, partial: bool = False
) -> Medium:
    """Open the tar in exactly these files, its volumes in order if there are several; none of these may be a link.

    ``partial`` is as for :class:`VolumesMedium`. Raises :class:`BundleError`.
    """
    if len(paths) == 1:
        return open_medium(paths, ask, unseal)
    return _open_sealed(VolumesMedium.open(paths, ask, named=(), partial=partial), unseal)


def _open_sealed(medium: Medium, unseal: Unseal | None) -> Medium:
    try:
        if medium.pread(len(AGE_MAGIC), 0) != AGE_MAGIC:
            return medium
        from airgap.bundle.media.sealed import SealedMedium

        return SealedMedium.open(medium, unseal)
    except BaseException:
        medium.close()
        raise


def _open_compressed(medium: FileMedium, fd: int, size: int) -> Medium:
    from airgap.bundle.media.frames import open_frames
    from airgap.bundle.media.stream import PipeMedium, decompress

    frames = open_frames(medium.where, fd, size)
    if frames is not None:
        return frames
    # zstd without a seek table, as `airgap export -o - | zstd` makes it, can only be read from its start.
    return PipeMedium(medium.where, decompress(lambda buffer: os.readv(fd, [buffer]), medium.where), medium.close)

# SPDX-License-Identifier: Apache-2.0
"""How a tar is stored: as one file, as volumes, as zstd frames, or in a pipe.

The modules here map offsets in the tar to bytes in files. They do not know what a tar member is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.base import Draft, Medium
from airgap.bundle.media.file import FileDraft, FileMedium, open_regular_file, partial_path
from airgap.bundle.media.volumes import AskForVolume, find_volumes
from airgap.bundle.media.zstd import MAGIC
from airgap.errors import AirgapError

__all__ = ["AskForVolume", "Draft", "FileDraft", "Medium", "open_medium", "partial_path"]

STDIN = "-"


def open_medium(paths: Sequence[Path], ask: AskForVolume | None = None) -> Medium:
    """Open the tar in a file, in volumes, or in standard input, which is the path ``-``.

    Any volume of a bundle is enough if the others lie beside it. ``ask`` is called for a volume that is missing.
    Raises :class:`BundleError`.
    """
    if [str(path) for path in paths] == [STDIN]:
        from airgap.bundle.media.stream import open_pipe

        return open_pipe(sys.stdin.fileno(), "standard input")
    volumes = find_volumes(paths, ask)
    if volumes is not None:
        return volumes
    fd, size = open_regular_file(paths[0])
    medium = FileMedium(str(paths[0]), fd, size)
    try:
        return _open_compressed(medium, fd, size) if medium.pread(len(MAGIC), 0) == MAGIC else medium
    except AirgapError:
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

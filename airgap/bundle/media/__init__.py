# SPDX-License-Identifier: Apache-2.0
"""Where a tar's bytes lie, whatever form they have there: one file, volumes, zstd frames, a pipe.

Reader and writer know offsets of the tar; these modules know files. None of them knows what a member is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.base import Draft, Medium
from airgap.bundle.media.file import FileDraft, FileMedium, open_regular, partial_of
from airgap.bundle.media.volumes import Ask, volumes_from
from airgap.errors import AirgapError

__all__ = ["Ask", "Draft", "FileDraft", "Medium", "open_medium", "partial_of"]

STDIN = "-"


def open_medium(paths: Sequence[Path], ask: Ask | None = None) -> Medium:
    """The tar in a file, in the volumes that the given ones belong to, or, for ``-``, in standard input. ``ask`` is
    asked for volumes that are not there. Raises :class:`BundleError`."""
    if [str(path) for path in paths] == [STDIN]:
        from airgap.bundle.media.stream import pipe_of

        return pipe_of(sys.stdin.fileno(), "standard input")
    volumes = volumes_from(paths, ask)
    if volumes is not None:
        return volumes
    where = str(paths[0])
    fd, size = open_regular(paths[0])
    medium = FileMedium(where, fd, size)
    try:
        return _unpacking(medium, fd, size) if medium.pread(4, 0) == b"\x28\xb5\x2f\xfd" else medium
    except AirgapError:
        medium.close()
        raise


def _unpacking(medium: FileMedium, fd: int, size: int) -> Medium:
    import os

    from airgap.bundle.media.frames import frames_of
    from airgap.bundle.media.stream import PipeMedium, unpacked

    frames = frames_of(medium.where, fd, size)
    if frames is not None:
        return frames
    # zstd without a seek table, as `airgap export -o - | zstd` makes it: readable from its start alone.
    return PipeMedium(medium.where, unpacked(lambda buffer: os.readv(fd, [buffer]), medium.where), medium.close)

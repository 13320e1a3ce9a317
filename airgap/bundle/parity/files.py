# SPDX-License-Identifier: Apache-2.0
"""Blocks of volumes that lie in files, and a place for a record that is too large for memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airgap.bundle.media.file import open_regular_file
from airgap.bundle.parity.geometry import BLOCK, ParitySet
from airgap.durable import writing
from airgap.store.readers import translate_read_errors


@contextmanager
def scratch(size: int, folder: Path) -> Iterator[mmap.mmap]:
    """Yield ``size`` bytes of zeros that lie in a nameless file of ``folder``. Raises :class:`OutputError`."""
    with writing(folder), tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(max(size, 1))
        with mmap.mmap(file.fileno(), max(size, 1)) as content:
            yield content


class VolumeFiles:
    """The volumes of a set that exist, open for reading: ``fds`` by their number in the set."""

    def __init__(self, parity_set: ParitySet, fds: dict[int, int], paths: Sequence[Path]) -> None:
        self._set = parity_set
        self.fds = fds
        self.paths = paths

    @classmethod
    @contextmanager
    def open(cls, parity_set: ParitySet, paths: Sequence[Path]) -> Iterator[VolumeFiles]:
        """Open those of ``paths``, one for each volume of the set, that exist."""
        with ExitStack() as stack:
            fds: dict[int, int] = {}
            for number, path in enumerate(paths):
                if path.exists():
                    fds[number], _ = open_regular_file(path)
                    stack.callback(os.close, fds[number])
            yield cls(parity_set, fds, paths)

    def block(self, number: int, stripe: int) -> bytes:
        """Return the block of a volume in a stripe, shorter if the file ends in it; empty for a missing file."""
        fd, size = self.fds.get(number), self._set.block_size(number, stripe)
        if fd is None or not size:
            return b""
        offset = stripe * BLOCK + (self._set.blocks_at() if number >= len(self._set.data) else 0)
        with translate_read_errors(str(self.paths[number]), offset):
            return os.pread(fd, size, offset)

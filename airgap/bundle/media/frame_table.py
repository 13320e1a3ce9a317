# SPDX-License-Identifier: Apache-2.0
"""Where each zstd frame of a file begins, and where in the tar its content begins."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable

SKIPPABLE = 0x184D2A5E
SEEKABLE = 0x8F92EAB1


class FrameTable:
    """The sizes of consecutive frames. Sixteen bytes a frame; appending and removing the last one are cheap."""

    def __init__(self, sizes: Iterable[tuple[int, int]] = ()) -> None:
        """``sizes`` are pairs of the compressed and the raw size of each frame, in bytes."""
        self._packed, self._raw = array("Q", [0]), array("Q", [0])
        for packed, raw in sizes:
            self.append(packed, raw)

    def __len__(self) -> int:
        return len(self._raw) - 1

    @property
    def packed_size(self) -> int:
        """Bytes of all frames in the file."""
        return self._packed[-1]

    @property
    def raw_size(self) -> int:
        """Bytes of the content of all frames."""
        return self._raw[-1]

    def append(self, packed: int, raw: int) -> None:
        """Add a frame of ``packed`` bytes with ``raw`` bytes of content."""
        self._packed.append(self._packed[-1] + packed)
        self._raw.append(self._raw[-1] + raw)

    def pop(self) -> None:
        """Remove the last frame."""
        self._packed.pop()
        self._raw.pop()

    def at(self, offset: int) -> int:
        """The number of the frame that holds byte ``offset`` of the content, or would if there were one more."""
        return bisect_right(self._raw, offset) - 1

    def packed_range(self, number: int) -> tuple[int, int]:
        """Offset in the file and compressed size of frame ``number``."""
        return self._packed[number], self._packed[number + 1] - self._packed[number]

    def raw_range(self, number: int) -> tuple[int, int]:
        """Offset in the content and raw size of frame ``number``."""
        return self._raw[number], self._raw[number + 1] - self._raw[number]

    def seek_table(self) -> bytes:
        """The skippable frame that ends a seekable file: compressed and raw size of each frame before it."""
        entries = b"".join(
            struct.pack("<II", self.packed_range(number)[1], self.raw_range(number)[1]) for number in range(len(self))
        )
        footer = struct.pack("<IBI", len(self), 0, SEEKABLE)
        return struct.pack("<II", SKIPPABLE, len(entries) + len(footer)) + entries + footer

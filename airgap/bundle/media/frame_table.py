# SPDX-License-Identifier: Apache-2.0
"""The index of a file of zstd frames: where each frame begins, and which bytes of the tar it holds.

"Packed" sizes and offsets are those of the compressed file, "raw" ones those of the tar.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable

#: The magic number of the skippable frame that holds the seek table (zstd's contrib/seekable_format).
SKIPPABLE = 0x184D2A5E
#: The last four bytes of a file with a seek table.
SEEKABLE = 0x8F92EAB1


class FrameTable:
    """The sizes of consecutive frames. Takes 16 bytes of memory a frame; adding and removing the last one is cheap."""

    def __init__(self, sizes: Iterable[tuple[int, int]] = ()) -> None:
        """``sizes`` are pairs of the packed and the raw size of each frame, in bytes."""
        self._packed_offsets, self._raw_offsets = array("Q", [0]), array("Q", [0])
        for packed, raw in sizes:
            self.append(packed, raw)

    def __len__(self) -> int:
        return len(self._raw_offsets) - 1

    @property
    def packed_size(self) -> int:
        """The size of all frames in the file, in bytes."""
        return self._packed_offsets[-1]

    @property
    def raw_size(self) -> int:
        """The size of the content of all frames, in bytes."""
        return self._raw_offsets[-1]

    def append(self, packed: int, raw: int) -> None:
        """Add a frame of ``packed`` bytes with ``raw`` bytes of content."""
        self._packed_offsets.append(self._packed_offsets[-1] + packed)
        self._raw_offsets.append(self._raw_offsets[-1] + raw)

    def pop(self) -> None:
        """Remove the last frame."""
        self._packed_offsets.pop()
        self._raw_offsets.pop()

    def frame_at(self, offset: int) -> int:
        """Return the number of the frame that holds byte ``offset`` of the content.

        For an offset at the end of the content this is the number of the next frame.
        """
        return bisect_right(self._raw_offsets, offset) - 1

    def packed_range(self, number: int) -> tuple[int, int]:
        """Return the offset in the file and the packed size of frame ``number``."""
        return self._packed_offsets[number], self._packed_offsets[number + 1] - self._packed_offsets[number]

    def raw_range(self, number: int) -> tuple[int, int]:
        """Return the offset in the content and the raw size of frame ``number``."""
        return self._raw_offsets[number], self._raw_offsets[number + 1] - self._raw_offsets[number]

    def seek_table(self) -> bytes:
        """Return the skippable frame that ends a seekable file: the packed and the raw size of each frame."""
        entries = b"".join(
            struct.pack("<II", self.packed_range(number)[1], self.raw_range(number)[1]) for number in range(len(self))
        )
        footer = struct.pack("<IBI", len(self), 0, SEEKABLE)
        return struct.pack("<II", SKIPPABLE, len(entries) + len(footer)) + entries + footer

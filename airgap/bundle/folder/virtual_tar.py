# SPDX-License-Identifier: Apache-2.0
"""The tar that the files of a folder would be: which part of it is a header, a file's content, or zeros."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from airgap.bundle.tar import END, BlobPlaces, Member, TarLayout, read_member

ReadContent = Callable[[Member, int, int], bytes]
"""Gets a member, an offset in its content and a number of bytes; returns fewer bytes only where the file ends."""


class VirtualTar:
    """A tar of the members ``head``, those of ``places`` and ``tail``, which follow each other without a gap, and the
    end marker. ``size`` is in bytes."""

    def __init__(self, head: Sequence[Member], places: BlobPlaces, tail: Sequence[Member]) -> None:
        self.signatures = [member for member in tail if not member.directory]
        self.folders = [member.name for member in (*head, *tail) if member.directory]
        self._last_end = tail[-1].end if tail else places.end
        self.size = self._last_end + len(END)
        self._head, self._places, self._tail = head, places, tail
        self._head_starts = [member.header_offset for member in head]
        self._tail_starts = [member.header_offset for member in tail]

    @classmethod
    def of(cls, layout: TarLayout) -> VirtualTar:
        """Return the tar of a layout, with its signatures."""
        signatures = []
        start = offset = layout.places.end
        tail = layout.tail + END
        while (
            member := read_member(lambda count, at: tail[at - start : at - start + count], offset, None)
        ) is not None:
            signatures.append(member)
            offset = member.end
        return cls([member for member, _ in layout.head], layout.places, signatures)

    def files(self) -> Iterator[Member]:
        """Iterate over the members that are files: those before the blobs, the blobs, then the signatures."""
        yield from (member for member in self._head if not member.directory)
        yield from (self._places[digest] for digest in self._places)
        yield from self.signatures

    def read(self, count: int, offset: int, read_content: ReadContent) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the tar or one of its files ends."""
        parts: list[bytes] = []
        end = min(offset + count, self.size)
        while offset < end:
            member = self._at(offset)
            content_end = member.content_offset + member.size
            if offset < member.content_offset:
                part = member.header[offset - member.header_offset :][: end - offset]
            elif offset < content_end:
                length = min(end, content_end) - offset
                part = read_content(member, offset - member.content_offset, length)
                if len(part) < length:
                    return b"".join([*parts, part])
            else:
                following = self.size if member.end == self._last_end else member.end
                part = bytes(min(end, following) - offset)
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def contents(self, count: int, offset: int) -> Iterator[tuple[Member, int, int, int]]:
        """Yield what of ``count`` bytes at ``offset`` is content of files: the member, the position in its content, and
        the start and end within the ``count`` bytes."""
        for member in self.overlapping(offset, count):
            start = max(offset, member.content_offset)
            end = min(offset + count, member.content_offset + member.size)
            if start < end:
                yield member, start - member.content_offset, start - offset, end - offset

    def overlapping(self, offset: int, count: int) -> Iterator[Member]:
        """Yield the members to which any of these bytes belong."""
        end = min(offset + count, self._last_end)
        while offset < end:
            member = self._at(offset)
            yield member
            offset = member.end

    def _at(self, offset: int) -> Member:
        """Return the last member whose header is not behind ``offset``."""
        if self._tail and offset >= self._places.end:
            return self._tail[bisect_right(self._tail_starts, offset) - 1]
        if len(self._places) and offset >= self._places.start:
            return self._places.at(offset)
        return self._head[bisect_right(self._head_starts, offset) - 1]

# SPDX-License-Identifier: Apache-2.0
"""The tar that the files of a folder would be: which part of it is a header, a file's content, or zeros."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from airgap.bundle.tail import SIGNATURES_FOLDER
from airgap.bundle.tar import END, Member, TarLayout, read_member

ReadContent = Callable[[Member, int, int], bytes]
"""Gets a member, an offset in its content and a number of bytes; returns fewer bytes only where the file ends."""


class VirtualTar:
    """A tar of ``members``, which follow each other without a gap, and the end marker. ``size`` is in bytes."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.size = members[-1].end + len(END)
        self._starts = [member.header_offset for member in members]

    @classmethod
    def of(cls, layout: TarLayout) -> VirtualTar:
        """Return the tar of a layout, with its signatures."""
        members = [member for member, _ in layout.head]
        members += [layout.places[blob.digest] for blob in layout.blobs]
        start = offset = layout.size - len(layout.tail)
        tail = layout.tail + END
        while (
            member := read_member(lambda count, at: tail[at - start : at - start + count], offset, None)
        ) is not None:
            members.append(member)
            offset = member.end
        return cls(members)

    @property
    def files(self) -> list[Member]:
        """The members that are files: those before the blobs, the blobs, then the signatures."""
        return [member for member in self.members if not member.directory]

    @property
    def signatures(self) -> list[Member]:
        """The members that are signatures."""
        return [member for member in self.files if member.name.startswith(SIGNATURES_FOLDER)]

    def read(self, count: int, offset: int, read_content: ReadContent) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the tar or one of its files ends."""
        parts: list[bytes] = []
        end = min(offset + count, self.size)
        while offset < end:
            member = self.members[bisect_right(self._starts, offset) - 1]
            content_end = member.content_offset + member.size
            if offset < member.content_offset:
                part = member.header[offset - member.header_offset :][: end - offset]
            elif offset < content_end:
                length = min(end, content_end) - offset
                part = read_content(member, offset - member.content_offset, length)
                if len(part) < length:
                    return b"".join([*parts, part])
            else:
                following = self.size if member is self.members[-1] else member.end
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
        number = bisect_right(self._starts, offset) - 1
        while number < len(self.members) and self._starts[number] < offset + count:
            yield self.members[number]
            number += 1

# SPDX-License-Identifier: Apache-2.0
"""The end of a bundle: its signatures, behind the blobs, and the end marker.

Signatures are members of ``airgap/signatures/``, sorted by name. Being last, they can be added without moving a byte.
"""

from __future__ import annotations

from collections.abc import Mapping

from airgap.bundle.tar import COPY_AGAIN_HINT, END, Member, Pread, TarLayout, header, padded_size, read_member
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.records import Record, replace

SIGNATURES_FOLDER = "airgap/signatures/"
#: The largest signature that is read, and all of them together, in bytes.
MAX_SIGNATURE = 1024 * 1024
_MAX_TAIL = 4 * 1024 * 1024


def tail_bytes(signatures: Mapping[str, bytes]) -> bytes:
    """Return everything behind the blobs: ``signatures`` by file name, and the end marker."""
    if not signatures:
        return END
    parts = [header(SIGNATURES_FOLDER, 0, directory=True)]
    for name, content in sorted(signatures.items()):
        parts += [header(f"{SIGNATURES_FOLDER}{name}", len(content)), content.ljust(padded_size(len(content)), b"\0")]
    return b"".join([*parts, END])


def signature_members(sizes: Mapping[str, int], offset: int) -> list[Member]:
    """Return the members of signatures of these ``sizes``, by file name, if the blobs end at ``offset``."""
    members: list[Member] = []
    for name in ["", *sorted(sizes)] if sizes else []:
        start = members[-1].end if members else offset
        full_name, size = f"{SIGNATURES_FOLDER}{name}", sizes.get(name, 0)
        content_offset = start + len(header(full_name, size, directory=not name))
        members.append(Member(full_name, size, start, content_offset, directory=not name))
    return members


def with_signatures(layout: TarLayout, signatures: Mapping[str, bytes]) -> TarLayout:
    """Return ``layout`` with signatures behind the blobs."""
    tail = tail_bytes(signatures)[: -len(END)]
    return replace(layout, tail=tail, size=layout.size + len(tail))


class Tail(Record):
    """What is behind the blobs: the ``signatures`` by file name. ``end`` is the offset of the end marker.

    ``exact`` tells whether there is nothing else, as airgap writes it: no other member, and nothing behind the end.
    """

    signatures: Mapping[str, bytes]
    end: int
    exact: bool

    @classmethod
    def read(cls, pread: Pread, offset: int) -> Tail:
        """Read everything from ``offset`` on, at once: a pipe gives it only once.

        Raises :class:`BundleError` for any member that is no signature, and for a missing end marker.
        """
        content = pread(_MAX_TAIL + 1, offset)
        signatures: dict[str, bytes] = {}
        position = 0
        limit = len(content) if len(content) <= _MAX_TAIL else None
        while (member := read_member(lambda count, start: content[start : start + count], position, limit)) is not None:
            name = member.name.removeprefix(SIGNATURES_FOLDER)
            if not member.name.startswith(SIGNATURES_FOLDER) or "/" in name or name in signatures:
                raise BundleError(tr("the member {name!r} behind the blobs has no place in a bundle", name=member.name))
            if member.end > _MAX_TAIL:
                raise BundleError(tr("its signatures have more than {max:,} bytes", max=_MAX_TAIL))
            if not member.directory:
                signatures[name] = content[member.content_offset : member.content_offset + member.size]
            position = member.end
        if len(content) < position + len(END):
            raise BundleError(tr("cut short: its last block is missing"), hint=COPY_AGAIN_HINT)
        return cls(signatures, offset + position, content == tail_bytes(signatures))

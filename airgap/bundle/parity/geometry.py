# SPDX-License-Identifier: Apache-2.0
"""The form of a parity volume (docs/parity.md describes it), and how large data volumes may be beside it.

All integers of a page are in JSON. A parity volume is: a title page, the record in pages, parity blocks, the record
once more, the title page once more. The record, which is the same in all parity volumes, says which volumes there are
and holds the SHA-256 of each block of each volume. Each page begins with its own SHA-256, so that a damaged copy is
told from a good one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.volume_names import SIGNATURE_ROOM
from airgap.bundle.parity.galois import MOST_VOLUMES
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record

BLOCK = 64 * 1024
PAGE = 4096
HASH = 32
#: Bytes of the record in one page.
PAYLOAD = PAGE - HASH
FORMAT = 1
_TITLE = b"airgap parity volume\n"


class Member(Record):
    """One volume of a set: its file name, its size in bytes, and its SHA-256 (empty for parity volumes)."""

    name: str
    size: int
    sha256: str = ""


class ParitySet(Record):
    """The data volumes of a bundle and its parity volumes, in order.

    ``stripes`` is the number of blocks of the largest volume; block K of every volume is stripe K.
    """

    data: tuple[Member, ...]
    parity: tuple[Member, ...]

    @property
    def members(self) -> tuple[Member, ...]:
        """All volumes, data volumes first."""
        return (*self.data, *self.parity)

    @property
    def stripes(self) -> int:
        """The number of stripes."""
        return blocks_of(max(member.size for member in self.data))

    @property
    def id(self) -> bytes:
        """What tells this set from others: the SHA-256 of the names, sizes and checksums of its volumes."""
        return hashlib.sha256(self.header()).digest()

    def header(self) -> bytes:
        """Return the first part of the record, JSON in one form."""
        document = {
            "block": BLOCK,
            "data": [[member.name, member.size, member.sha256] for member in self.data],
            "format": FORMAT,
            "parity": [member.name for member in self.parity],
        }
        return json.dumps(document, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()

    @property
    def record_size(self) -> int:
        """Bytes of the record: the size of the header, the header, and a hash for each block of each volume."""
        return 4 + len(self.header()) + len(self.members) * self.stripes * HASH

    @property
    def pages(self) -> int:
        """Pages of one copy of the record."""
        return -(-self.record_size // PAYLOAD)

    def blocks_at(self) -> int:
        """Return the offset of the parity blocks in a parity volume."""
        return PAGE * (1 + self.pages)

    def parity_size(self) -> int:
        """Return the size of each parity volume."""
        return 2 * self.blocks_at() + self.stripes * BLOCK

    def block_size(self, number: int, stripe: int) -> int:
        """Return the bytes of volume ``number`` in a stripe: less than a block at its end, 0 behind it."""
        if number >= len(self.data):
            return BLOCK
        return max(0, min(BLOCK, self.data[number].size - stripe * BLOCK))


def blocks_of(size: int) -> int:
    """Return how many blocks ``size`` bytes take."""
    return max(1, -(-size // BLOCK))


def title_page(parity_set: ParitySet, number: int) -> bytes:
    """Return the first and last page of parity volume ``number`` (from 0)."""
    title = {"number": number, "pages": parity_set.pages, "record": parity_set.record_size,
             "set": parity_set.id.hex(), "stripes": parity_set.stripes, "format": FORMAT}  # fmt: skip
    text = _TITLE + json.dumps(title, separators=(",", ":"), sort_keys=True).encode()
    payload = text.ljust(PAYLOAD, b"\0")
    return hashlib.sha256(payload).digest() + payload


class Title(Record):
    """What a title page says."""

    set_id: bytes
    number: int
    pages: int
    record_size: int
    stripes: int


def read_title(page: bytes) -> Title | None:
    """Return what a title page says; ``None`` if it is damaged or none."""
    payload = page[HASH:]
    if len(page) != PAGE or hashlib.sha256(payload).digest() != page[:HASH] or not payload.startswith(_TITLE):
        return None
    title = json.loads(payload[len(_TITLE) :].rstrip(b"\0"))
    if title.get("format") != FORMAT:
        return None
    return Title(bytes.fromhex(title["set"]), title["number"], title["pages"], title["record"], title["stripes"])


def record_page(set_id: bytes, number: int, payload: bytes) -> bytes:
    """Return page ``number`` of the record, which belongs to one set and to one place in it."""
    payload = payload.ljust(PAYLOAD, b"\0")
    return page_hash(set_id, number, payload) + payload


def page_hash(set_id: bytes, number: int, payload: bytes) -> bytes:
    """Return the hash at the beginning of a page of the record."""
    return hashlib.sha256(set_id + number.to_bytes(8, "big") + payload).digest()


def parity_name(bundle: str, number: int) -> str:
    """Return the file name of parity volume ``number`` (from 1)."""
    return f"{bundle}.p{number:03}"


def parity_paths(path: Path, count: int) -> list[Path]:
    """Return the paths of the parity volumes of the bundle ``path``."""
    return [path.with_name(parity_name(path.name, number)) for number in range(1, count + 1)]


def planned_set(names: Sequence[str], sizes: Sequence[int], bundle: str, parity: int) -> ParitySet:
    """Return a set whose checksums are not known yet; all sizes in it are final."""
    data = tuple(Member(name, size, "0" * 64) for name, size in zip(names, sizes, strict=True))
    draft = ParitySet(data, tuple(Member(parity_name(bundle, number), 0) for number in range(1, parity + 1)))
    size = draft.parity_size()
    return ParitySet(data, tuple(Member(member.name, size) for member in draft.parity))


def data_volume_size(total: int, volume_size: int, parity: int, bundle: str) -> int:
    """Return the bytes of each data volume, so that parity volumes, which hold a little more, have ``volume_size``.

    ``total`` are the bytes of the bundle. Raises :class:`UsageError` if there would be too many volumes.
    """
    size = volume_size // BLOCK * BLOCK
    while size > 0:
        count = max(1, -(-(total + SIGNATURE_ROOM) // size))
        if count + parity > MOST_VOLUMES:
            break
        names = [f"{bundle}.{number:03}".ljust(_LONGEST_NAME) for number in range(1, count + 1)]
        excess = planned_set(names, [size] * count, bundle, parity).parity_size() - volume_size
        if excess <= 0:
            return size
        size -= max(1, excess // BLOCK // 2) * BLOCK
    raise UsageError(
        tr("{parity} parity volumes and the data would be more than {most} volumes", parity=parity, most=MOST_VOLUMES),
        hint=tr("give larger volumes: --volume-size"),
    )


#: File names are at most this long, so that the size of the header does not depend on the pattern of names.
_LONGEST_NAME = 255

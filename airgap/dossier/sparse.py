# SPDX-License-Identifier: Apache-2.0
"""Sparse files in a tar, in GNU's four forms: where their holes are, and their content with the holes as zeros.

The forms are those of GNU tar's manual, "Storing Sparse Files": a map in the header (type ``S``), in pax records (0.0
and 0.1), and before the content (1.0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from airgap.dossier.budget import Budget
from airgap.dossier.entry import Content

_BLOCK = 512
#: Regions of one file: more would take too much memory.
_MAX_REGIONS = 65_536
#: Two numbers of 12 bytes each.
_GNU_ENTRY = 24

#: The size of a file, and its stored regions, each an offset in the file and a number of bytes.
SparseMap = tuple[int, Sequence[tuple[int, int]]]


class SparseContent:
    """The content of a sparse file: the ``regions`` come from ``stored``, the rest is zeros.

    The zeros count as unpacked bytes, since they take as much time as others.
    """

    def __init__(self, stored: Content, sparse_map: SparseMap, budget: Budget) -> None:
        self._stored, self._budget = stored, budget
        self._size, self._regions = sparse_map
        self._next = 0
        self._position = 0

    def read(self, count: int, /) -> bytes:
        """Return up to ``count`` bytes, none only at the end."""
        while self._next < len(self._regions) and sum(self._regions[self._next]) <= self._position:
            self._next += 1
        start, length = self._regions[self._next] if self._next < len(self._regions) else (self._size, 0)
        if self._position < start:
            piece = bytes(min(count, start - self._position))
            self._budget.add_bytes(len(piece))
        else:
            piece = self._stored.read(min(count, start + length - self._position))
        self._position += len(piece)
        return piece


def gnu_map(block: bytes, next_block: Callable[[], bytes], number: Callable[[bytes], int]) -> SparseMap:
    """Return the map in a header of the type ``S`` and the blocks behind it. Raises :class:`ValueError`."""
    regions: list[tuple[int, int]] = []
    size = number(block[483:495])
    field, extended = block[386 : 386 + 4 * _GNU_ENTRY], block[482]
    while True:
        entries = [field[start : start + _GNU_ENTRY] for start in range(0, len(field), _GNU_ENTRY)]
        regions += [(number(entry[:12]), number(entry[12:])) for entry in entries if any(entry)]
        if not extended:
            return size, regions
        if len(regions) > _MAX_REGIONS:
            raise ValueError
        block = next_block()
        field, extended = block[: 21 * _GNU_ENTRY], block[504]


def pax_map(records: Mapping[bytes, Sequence[bytes]]) -> SparseMap | None:
    """Return the map of the forms 0.0 and 0.1, ``None`` if there is none. Raises :class:`ValueError`."""
    if b"GNU.sparse.map" in records:
        numbers = [_decimal(text) for text in records[b"GNU.sparse.map"][-1].split(b",") if text]
        if len(numbers) % 2:
            raise ValueError
        regions = list(zip(numbers[::2], numbers[1::2], strict=True))
    elif b"GNU.sparse.offset" in records:
        offsets, lengths = records[b"GNU.sparse.offset"], records.get(b"GNU.sparse.numbytes", ())
        regions = [(_decimal(offset), _decimal(length)) for offset, length in zip(offsets, lengths, strict=True)]
    else:
        return None
    return _size(records), regions


def stored_map(records: Mapping[bytes, Sequence[bytes]], read: Callable[[int], bytes]) -> SparseMap:
    """Read the map of the form 1.0 from the beginning of the content. Raises :class:`ValueError`.

    It is decimal numbers, each with a line feed, filled up to whole blocks: first how many regions there are.
    """
    rest, count = b"", -1
    numbers: list[int] = []
    while count < 0 or len(numbers) < 1 + 2 * count:
        line, feed, after = rest.partition(b"\n")
        if feed:
            numbers.append(_decimal(line))
            rest = after
            if count < 0:
                count = numbers[0]
                if count > _MAX_REGIONS:
                    raise ValueError
            continue
        if len(rest) > 32:
            raise ValueError
        block = b""
        while len(block) < _BLOCK:
            piece = read(_BLOCK - len(block))
            if not piece:
                raise ValueError
            block += piece
        rest += block
    return _size(records), list(zip(numbers[1::2], numbers[2::2], strict=True))


def _size(records: Mapping[bytes, Sequence[bytes]]) -> int:
    size = records.get(b"GNU.sparse.realsize") or records.get(b"GNU.sparse.size")
    if not size:
        raise ValueError
    return _decimal(size[-1])


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise ValueError
    return int(text)

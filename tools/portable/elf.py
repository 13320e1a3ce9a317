# SPDX-License-Identifier: Apache-2.0
"""What an ELF file needs: its loader and its libraries (System V ABI, "Program Header" and "Dynamic Section").

64-bit little-endian files, of any machine.
"""

from __future__ import annotations

import struct

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB = 1, 5
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")


def is_elf(content: bytes) -> bool:
    """Whether a file is one that this module reads."""
    return content.startswith(b"\x7fELF\x02\x01")


def needed(content: bytes) -> list[str]:
    """The names of the libraries that an ELF file needs."""
    headers = _program_headers(content)
    entries = [
        _DYNAMIC.unpack_from(content, place)
        for kind, offset, _, size in headers
        if kind == _PT_DYNAMIC
        for place in range(offset, offset + size - _DYNAMIC.size + 1, _DYNAMIC.size)
    ]
    tables = [value for tag, value in entries if tag == _DT_STRTAB]
    if not tables:
        return []
    strings = next(
        offset + tables[0] - address
        for kind, offset, address, size in headers
        if kind == _PT_LOAD and address <= tables[0] < address + size
    )
    return [_string(content, strings + value) for tag, value in entries if tag == _DT_NEEDED]


def loader(content: bytes) -> str:
    """The path of the loader that a program names."""
    return next(_string(content, offset) for kind, offset, _, _ in _program_headers(content) if kind == _PT_INTERP)


def _program_headers(content: bytes) -> list[tuple[int, int, int, int]]:
    """Kind, offset in the file, address and size in the file of each segment."""
    fields = _HEADER.unpack_from(content)
    start, size, count = fields[5], fields[9], fields[10]
    found = []
    for number in range(count):
        kind, _, offset, address, _, length, _, _ = _PROGRAM_HEADER.unpack_from(content, start + number * size)
        found.append((kind, offset, address, length))
    return found


def _string(content: bytes, offset: int) -> str:
    return content[offset : content.index(b"\0", offset)].decode()

# SPDX-License-Identifier: Apache-2.0
"""The bytes of a resource file, and conversion between bytes, characters, lines and columns.

Counts of characters and lines are kept for each block of the file. A lookup therefore takes constant time, however long
the lines are, and the file is never decoded as a whole.
"""

from __future__ import annotations

import codecs
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable

from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.kube.parse import encodings

BOM = codecs.BOM_UTF8
_BLOCK = 1024
_CONTINUATION = bytes(range(0x80, 0xC0))
#: The control characters that YAML 1.1 forbids (5.1 "Character set").
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Source:
    """A file's content: ``body`` without the byte order mark, which has ``bom_length`` bytes.

    Raises ResourceError with file:line if the content is not UTF-8. Offsets are bytes of ``body``.
    """

    def __init__(self, content: bytes, file: str) -> None:
        self.file = file
        self.bom_length = len(BOM) if content.startswith(BOM) else 0
        self.body = content[self.bom_length :] if self.bom_length else content
        self.ascii = self.body.isascii()
        self._chars_before: array[int] | None = None
        self._lines_before: array[int] | None = None
        #: The last lookup: byte, line (from 0), and the offset of that line; and its answer.
        self._last_lookup = (0, 0, 0)
        self._last_place = (1, 1)
        if encoding := encodings.wide_encoding(content):
            raise ResourceError(
                tr("this file is {encoding}, and only UTF-8 can be rewritten in place", encoding=encoding),
                where=f"{file}:1",
                hint=encodings.conversion_hint(encoding, file),
            )
        if not self.ascii:
            self._check_utf8()

    def byte_offset(self, char: int) -> int:
        """Return the byte at which character number ``char`` begins."""
        if self.ascii:
            return char
        if self._chars_before is None:
            self._chars_before = self._block_sums(lambda block: len(block.translate(None, _CONTINUATION)))
        # The last entry is for the end of the file, which belongs to the last block.
        index = max(min(bisect_right(self._chars_before, char), len(self._chars_before) - 1) - 1, 0)
        block = self.body[index * _BLOCK : (index + 1) * _BLOCK]
        continuation_bytes = len(block) - len(block.lstrip(_CONTINUATION))
        text = block[continuation_bytes:].decode("utf-8", "ignore")
        remaining = char - self._chars_before[index]
        if remaining > len(text):  # after a character that is divided by the end of the block
            return index * _BLOCK + len(block)
        return index * _BLOCK + continuation_bytes + len(text[:remaining].encode())

    def line_and_column(self, byte: int) -> tuple[int, int]:
        """Return line and column of ``byte``, both from 1."""
        last, line, begin = self._last_lookup
        if byte == last:
            return self._last_place
        if 0 < byte - last <= _BLOCK:  # lookups are mostly in order
            if line_breaks := self.body.count(b"\n", last, byte):
                line, begin = line + line_breaks, self.body.rfind(b"\n", last, byte) + 1
        else:
            line, begin = self._line_start(byte)
        self._last_lookup = byte, line, begin
        self._last_place = place = line + 1, (byte - begin if self.ascii else self._char_count(begin, byte)) + 1
        return place

    def _line_start(self, byte: int) -> tuple[int, int]:
        """The number of line ends before ``byte``, and the offset after the last one."""
        if self._lines_before is None:
            self._lines_before = self._block_sums(lambda block: block.count(b"\n"))
        lines = self._lines_before
        index = min(byte // _BLOCK, len(lines) - 1)
        line = lines[index] + self.body.count(b"\n", index * _BLOCK, byte)
        if line == 0:
            begin = 0
        else:
            # The last line end is in the block where the count of lines reaches `line`.
            holder = bisect_left(lines, line) - 1
            begin = self.body.rfind(b"\n", holder * _BLOCK, min((holder + 1) * _BLOCK, byte)) + 1
        return line, begin

    def line(self, byte: int) -> int:
        """Return the line of ``byte``, from 1."""
        return self.line_and_column(byte)[0]

    def where(self, byte: int) -> str:
        """Return ``file:line`` of ``byte``, for errors."""
        return f"{self.file}:{self.line(byte)}"

    def last_where(self) -> str:
        """Return ``file:line`` of the byte that was looked up last."""
        return f"{self.file}:{self._last_place[0]}"

    def first_control_character(self) -> int | None:
        """Return the offset of the first control character that YAML forbids, or ``None``."""
        control_character = _CONTROL.search(self.body)
        return control_character.start() if control_character else None

    def _char_count(self, begin: int, end: int) -> int:
        """The number of characters between two bytes."""
        if end - begin <= _BLOCK:
            return len(self.body[begin:end].translate(None, _CONTINUATION))
        return self.char_index(end) - self.char_index(begin)

    def char_index(self, byte: int) -> int:
        """Return the number of characters that begin before ``byte``."""
        if self.ascii:
            return byte
        if self._chars_before is None:
            self._chars_before = self._block_sums(lambda block: len(block.translate(None, _CONTINUATION)))
        index = min(byte // _BLOCK, len(self._chars_before) - 1)
        return self._chars_before[index] + len(self.body[index * _BLOCK : byte].translate(None, _CONTINUATION))

    def _block_sums(self, measure: Callable[[bytes], int]) -> array[int]:
        """The sum of ``measure`` over all blocks before each block, and the total as last entry."""
        sums = array("Q", [0])
        for begin in range(0, len(self.body), _BLOCK):
            sums.append(sums[-1] + measure(self.body[begin : begin + _BLOCK]))
        return sums

    def _check_utf8(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        view = memoryview(self.body)
        for begin in range(0, len(view), 1 << 16):
            incomplete_bytes = len(decoder.getstate()[0])
            final = begin + (1 << 16) >= len(view)
            try:
                decoder.decode(view[begin : begin + (1 << 16)], final)
            except UnicodeDecodeError as error:
                byte = begin - incomplete_bytes + error.start
                line = self.body.count(b"\n", 0, byte) + 1
                korean = encodings.is_korean(self.body)
                raise ResourceError(
                    tr("this file is not UTF-8, but CP949 (Korean Windows)")
                    if korean
                    else tr("this file is not UTF-8: {reason}", reason=error.reason),
                    where=f"{self.file}:{line}",
                    hint=encodings.conversion_hint(encodings.KOREAN if korean else "ENCODING", self.file),
                ) from None

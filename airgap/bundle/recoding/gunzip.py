# SPDX-License-Identifier: Apache-2.0
"""Reads the tar of a gzip layer, in pieces, up to a given size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.store.protocols import Reader
from airgap.store.readers import BUFFER_SIZE

#: For ``zlib.decompressobj``: a gzip header and trailer, and the largest window.
_GZIP = 16 + zlib.MAX_WBITS


def gunzip(reader: Reader, limit: int) -> Iterator[bytes]:
    """Yield the content of one gzip member, in pieces of at most :data:`BUFFER_SIZE`.

    Raises :class:`ContentError` for what is no gzip, for more than ``limit`` bytes, and for anything behind the member.
    """
    decompressor = zlib.decompressobj(_GZIP)
    buffer = memoryview(bytearray(BUFFER_SIZE))
    done = 0
    while count := reader.readinto(buffer):
        rest = bytes(buffer[:count])
        while True:
            if decompressor.eof:
                raise ContentError(tr("something follows its gzip member"))
            try:
                piece = decompressor.decompress(rest, BUFFER_SIZE)
            except zlib.error as error:
                raise ContentError(tr("it cannot be uncompressed: {error}", error=error)) from error
            done += len(piece)
            if done > limit:
                raise ContentError(tr("uncompressed it has more than {limit} bytes", limit=limit))
            if piece:
                yield piece
            rest = decompressor.unconsumed_tail or decompressor.unused_data
            # A full piece may leave output behind that needs no further input.
            if not rest and (len(piece) < BUFFER_SIZE or decompressor.eof):
                break
    if not decompressor.eof:
        raise ContentError(tr("its gzip member is cut short"))

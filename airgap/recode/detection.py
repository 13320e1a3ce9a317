# SPDX-License-Identifier: Apache-2.0
"""Which codecs may have written a gzip file, judged by its beginning.

What a codec writes for the beginning of the content does not depend on what follows. Eras of the same program differ in
few places, so several codecs may remain: only a comparison of the whole file decides between them.
"""

from __future__ import annotations

from typing import Protocol

from airgap.recode.codecs import HEADER_SIZE, candidates
from airgap.recode.encoder import Encoder

#: Content that is compared at a time: most codecs that did not write the file differ at once.
_STEP = 1 << 17
_TRAILER_SIZE = 8


class Readable(Protocol):
    """What has the bytes of a gzip file."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, or none at the end."""


def detect(compressed: Readable, raw_prefix: bytes, header: bytes) -> tuple[str, ...]:
    """Return the codecs of :func:`candidates` for ``header`` whose output for ``raw_prefix`` agrees with the beginning
    of ``compressed``, in the order to try.

    ``compressed`` is read from where it stands, the beginning of the gzip file, and no further than ``raw_prefix``
    reaches: the first MiB of content tells most codecs apart. A file that ends there is compared to its end.
    """
    possible = candidates(header)
    if not possible:
        return ()
    beginning, is_whole = _beginning(compressed, len(raw_prefix))
    is_whole = is_whole and int.from_bytes(beginning[-4:], "little") == len(raw_prefix) % (1 << 32)
    return tuple(codec for codec in possible if _agrees(codec, beginning, raw_prefix, is_whole))


def _beginning(compressed: Readable, raw_size: int) -> tuple[bytes, bool]:
    """Read as much as ``raw_size`` bytes of content can take; also say whether that was all."""
    left = raw_size + raw_size // 1024 + (1 << 12)
    parts: list[bytes] = []
    while left > 0:
        part = compressed.read(left)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        left -= len(part)
    return b"".join(parts), False


def _agrees(codec: str, beginning: bytes, raw_prefix: bytes, is_whole: bool) -> bool:
    position = 0
    with Encoder(codec) as encoder, memoryview(raw_prefix) as content:
        for start in range(0, len(content), _STEP):
            made = encoder.update(content[start : start + _STEP])
            if not _continues(beginning, position, made):
                return False
            position += len(made)
        if not is_whole:
            return True
        made = encoder.finish()
        return position + len(made) == len(beginning) and _continues(beginning, position, made)


def _continues(beginning: bytes, position: int, made: bytes) -> bool:
    """``made`` is what ``beginning`` has at ``position``, as far as both reach. The header is the caller's matter."""
    skipped = max(0, HEADER_SIZE - position)
    expected = beginning[position + skipped : position + len(made)]
    return made[skipped : skipped + len(expected)] == expected

# SPDX-License-Identifier: Apache-2.0
"""The names of the codecs, and which of them may have written a gzip file that begins with some header.

A name says the program, its versions and its level. It never changes its meaning, since bundles carry it: an encoder
that turns out to be wrong gets a new name. ``/fma`` is the same program on a machine that rounds once where others
round twice (arm64).
"""

from __future__ import annotations

from airgap.errors import UnsupportedBundle
from airgap.i18n import tr

_GO_6 = ("go1.8-1.26/6", "go1.27/6", "go1.27/6/fma")
_GO_OTHERS = ("go1.8-1.26/5", "go1.8-1.26/7", "go1.8-1.26/4", "go1.8-1.26/8")
_GO_1 = ("go1.8-1.26/1", "go1.27/1", "go1.27/1/fma")
_GO_9 = ("go1.8-1.26/9",)
_PGZIP = (
    "pgzip/kp-1.18.2+/5",
    "pgzip/kp-1.15.10..1.18.0/5",
    "pgzip/kp-1.18.1/5",
    "pgzip/kp-1.18.2+/5/fma",
    "pgzip/kp-1.15.10..1.18.0/5/fma",
    "pgzip/kp-1.18.1/5/fma",
)

#: All codecs, the frequent ones first.
CODECS: tuple[str, ...] = (*_GO_6, *_GO_1, *_PGZIP, *_GO_OTHERS, *_GO_9)

HEADER_SIZE = 10
_MAGIC = b"\x1f\x8b\x08\x00"  # gzip, DEFLATE, no name, comment or other field
_UNKNOWN_SYSTEM = 0xFF
_NO_TIME = bytes(4)
_YEAR_1 = bytes.fromhex("00096e88")  # pgzip's zero time, cut to 32 bits
#: The extra flags of the header: what its writer thinks of its level.
_GO_BY_FLAGS = {0: _GO_6 + _GO_OTHERS, 2: _GO_9, 4: _GO_1}


class UnknownCodec(UnsupportedBundle):
    """A codec that this version does not have."""

    def __init__(self, codec: str) -> None:
        super().__init__(
            tr("codec {codec} is not known to this version of airgap", codec=codec),
            hint=tr("use the version of airgap that made the bundle, or a newer one"),
        )


def candidates(header: bytes) -> tuple[str, ...]:
    """Return the codecs that may have written a gzip file that begins with ``header`` (its first ten bytes), in the
    order to try; none if no codec writes such a header.

    A time that no codec writes says nothing, since a caller of an encoder may set it.
    """
    if len(header) < HEADER_SIZE or header[:4] != _MAGIC or header[9] != _UNKNOWN_SYSTEM:
        return ()
    time, flags = header[4:8], header[8]
    go, pgzip = _GO_BY_FLAGS.get(flags, ()), _PGZIP if flags == 0 else ()
    if time == _NO_TIME:
        return go
    return pgzip + go if time == _YEAR_1 else go + pgzip

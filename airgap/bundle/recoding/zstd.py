# SPDX-License-Identifier: Apache-2.0
"""zstd frames that refer to a prefix, as ``zstd --patch-from`` makes them.

The package ``zstandard`` cannot reference a prefix; ``compression.zstd`` of Python 3.14 can, and ``backports.zstd``
before it. A frame has at most 32 MiB of raw data and refers to at most 96 MiB, so the memory does not grow with the
layer. The same library makes the same frames of the same input; another version of it may make others.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from airgap.bundle.recoded import REGION_SIZE, SEGMENT_SIZE
from airgap.errors import UnsupportedBundle
from airgap.i18n import tr
from airgap.store.readers import BUFFER_SIZE

#: The compression levels: with a prefix, higher ones only cost time (``bench/recode.py``).
LEVEL = 9
LEVEL_WITH_PREFIX = 6
#: Segment and region together: zstd forgets a prefix that the window does not reach.
_WINDOW_LOG = 27
assert 1 << _WINDOW_LOG >= SEGMENT_SIZE + REGION_SIZE


class BadFrame(Exception):
    """What should be one frame of a given size is not."""


def load_zstd() -> Any:
    """Return the module with the functions of ``compression.zstd``. Raises :class:`UnsupportedBundle`."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UnsupportedBundle(
        tr("recoded layers need the Python package backports.zstd, which is not installed"),
        hint=tr("install it with pip, or take the portable folder of airgap; without it, bundles cross plain"),
    )


def compress(raw: bytes | memoryview, region: bytes) -> bytes:
    """Return ``raw`` as one frame, with ``region`` as its prefix unless that is empty."""
    zstd = load_zstd()
    options = {zstd.CompressionParameter.compression_level: LEVEL_WITH_PREFIX if region else LEVEL}
    if not region:
        return bytes(zstd.compress(raw, options=options))
    options[zstd.CompressionParameter.enable_long_distance_matching] = 1
    options[zstd.CompressionParameter.window_log] = _WINDOW_LOG
    return bytes(zstd.compress(raw, options=options, zstd_dict=zstd.ZstdDict(region, is_raw=True).as_prefix))


def decompress(read: Callable[[], bytes], size: int, region: bytes) -> Iterator[bytes]:
    """Yield the ``size`` bytes of one frame in pieces of at most :data:`BUFFER_SIZE`.

    ``read`` returns the frame's next bytes, none at its end. Raises :class:`BadFrame` for anything else than one frame
    of this size, before more than ``size`` bytes were made.
    """
    zstd = load_zstd()
    prefix = zstd.ZstdDict(region, is_raw=True).as_prefix if region else None
    decompressor = zstd.ZstdDecompressor(
        zstd_dict=prefix, options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    )
    done = 0
    try:
        while not decompressor.eof:
            piece = read() if decompressor.needs_input else b""
            if decompressor.needs_input and not piece:
                raise BadFrame(tr("a frame is cut short"))
            raw = decompressor.decompress(piece, min(BUFFER_SIZE, size - done + 1))
            done += len(raw)
            if done > size:
                raise BadFrame(tr("a frame has more than the {size} bytes that it should have", size=size))
            if raw:
                yield raw
    except zstd.ZstdError as error:
        raise BadFrame(str(error)) from error
    if done != size or decompressor.unused_data or read():
        raise BadFrame(tr("a frame has {done} bytes instead of {size}, or something follows it", done=done, size=size))

# SPDX-License-Identifier: Apache-2.0
"""zstd frames that refer to a prefix, as ``zstd --patch-from`` makes them.

The package ``zstandard`` cannot reference a prefix; ``compression.zstd`` of Python 3.14 can, ``backports.zstd`` before
it, and ``pyzstd``, which Debian has. A frame has at most 32 MiB of raw data and refers to at most 96 MiB, so the memory
does not grow with the layer. The same zstd makes the same frames of the same input; another version may make others.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airgap.bundle.recoded import REGION_SIZE, SEGMENT_SIZE
from airgap.errors import UnsupportedBundle
from airgap.i18n import tr
from airgap.store.readers import BUFFER_SIZE

#: The compression levels. With a prefix, 12 makes payloads smaller by a fifth than 6 and takes four times as long; the
#: levels above take ten times as long again. The trial level is for sizes that are only compared.
LEVEL = 9
LEVEL_WITH_PREFIX = 12
TRIAL_LEVEL = 3
#: Segment and region together: zstd forgets a prefix that the window does not reach.
_WINDOW_LOG = 27
assert 1 << _WINDOW_LOG >= SEGMENT_SIZE + REGION_SIZE


class BadFrame(Exception):
    """What should be one frame of a given size is not."""


class Zstd:
    """The functions of ``compression.zstd`` that are used here, of whichever module there is."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._is_pyzstd = module.__name__ == "pyzstd"
        self.error: type[Exception] = module.ZstdError

    def compress(self, raw: bytes | memoryview, level: int, prefix: bytes) -> bytes:
        """Return one frame; with a ``prefix``, with long-distance matching in it."""
        names = self._module.CParameter if self._is_pyzstd else self._module.CompressionParameter
        level_name, window, long_distance = (
            (names.compressionLevel, names.windowLog, names.enableLongDistanceMatching)
            if self._is_pyzstd
            else (names.compression_level, names.window_log, names.enable_long_distance_matching)
        )
        options: Mapping[Any, int] = {level_name: level}
        if prefix:
            options = {**options, window: _WINDOW_LOG, long_distance: 1}
        more = {"level_or_option": options} if self._is_pyzstd else {"options": options}
        return bytes(self._module.compress(raw, zstd_dict=self._prefix(prefix), **more))

    def decompressor(self, prefix: bytes) -> Any:
        """Return a decompressor of one frame."""
        name = self._module.DParameter.windowLogMax if self._is_pyzstd else self._window_log_max()
        more = {"option" if self._is_pyzstd else "options": {name: _WINDOW_LOG}}
        return self._module.ZstdDecompressor(zstd_dict=self._prefix(prefix), **more)

    def _window_log_max(self) -> Any:
        return self._module.DecompressionParameter.window_log_max

    def _prefix(self, prefix: bytes) -> Any:
        return self._module.ZstdDict(prefix, is_raw=True).as_prefix if prefix else None


def load_zstd() -> Zstd:
    """Return zstd with prefixes. Raises :class:`UnsupportedBundle`."""
    for name in ("compression.zstd", "backports.zstd", "pyzstd"):
        try:
            return Zstd(importlib.import_module(name))
        except ImportError:
            continue
    raise UnsupportedBundle(
        tr("recoded layers need the Python package backports.zstd, which is not installed"),
        hint=tr("install it with pip, or take the portable folder of airgap; without it, bundles cross plain"),
    )


def compress(raw: bytes | memoryview, region: bytes) -> bytes:
    """Return ``raw`` as one frame, with ``region`` as its prefix unless that is empty."""
    return load_zstd().compress(raw, LEVEL_WITH_PREFIX if region else LEVEL, region)


def trial_size(raw: bytes, region: bytes) -> int:
    """Return about how many bytes the frame would have, to compare regions."""
    return len(load_zstd().compress(raw, TRIAL_LEVEL, region))


def decompress(read: Callable[[], bytes], size: int, region: bytes) -> Iterator[bytes]:
    """Yield the ``size`` bytes of one frame in pieces of at most :data:`BUFFER_SIZE`.

    ``read`` returns the frame's next bytes, none at its end. Raises :class:`BadFrame` for anything else than one frame
    of this size, before more than ``size`` bytes were made.
    """
    zstd = load_zstd()
    decompressor = zstd.decompressor(region)
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
    except zstd.error as error:
        raise BadFrame(str(error)) from error
    if done != size or decompressor.unused_data or read():
        raise BadFrame(tr("a frame has {done} bytes instead of {size}, or something follows it", done=done, size=size))

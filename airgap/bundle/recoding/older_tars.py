# SPDX-License-Identifier: Apache-2.0
"""The tars of older layers for an export: each is fetched once, when a layer is first recoded against it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airgap import limits
from airgap.bundle.recoding.encode import OldLayer
from airgap.bundle.recoding.gunzip import gunzip
from airgap.bundle.recoding.pairing import Candidate
from airgap.bundle.recoding.raw_files import RawFiles
from airgap.errors import AirgapError, DigestMismatch, Interrupted, OutputError
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.store.protocols import Reader

OpenCandidate = Callable[[Candidate], Reader]
"""Opens an older layer, from the older bundle or from the registry that it came from."""


class OlderTars:
    """Puts older layers into ``tars``. One that ``open_layer`` cannot give is told to ``warn`` once. Thread-safe."""

    def __init__(self, tars: RawFiles, open_layer: OpenCandidate, warn: Callable[[str], None]) -> None:
        self._tars = tars
        self._open_layer = open_layer
        self._warn = warn
        self._layers: dict[str, OldLayer | None] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, candidate: Candidate) -> OldLayer | None:
        """Return an older layer with its tar, ``None`` if it cannot be had."""
        digest = candidate.layer.digest
        with self._lock:
            lock = self._locks.setdefault(digest, threading.Lock())
        with lock:
            if digest not in self._layers:
                try:
                    self._layers[digest] = self._fetch(candidate)
                except (Interrupted, OutputError):
                    raise
                except AirgapError as error:
                    self._layers[digest] = None
                    self._warn(
                        tr("the older layer {digest} of {image} is of no use: {error}",
                           digest=digest, image=candidate.label, error=error)
                    )  # fmt: skip
            return self._layers[digest]

    def _fetch(self, candidate: Candidate) -> OldLayer:
        layer = candidate.layer
        reader = _HashingReader(self._open_layer(candidate), layer.digest)
        try:
            raw = self._tars.add(gunzip(reader, limits.value("recoded-prefix-bytes")))
        finally:
            reader.close()
        return OldLayer(layer, raw)


class _HashingReader:
    """A reader that raises :class:`DigestMismatch` at its end if the content was not the one with the digest."""

    def __init__(self, reader: Reader, digest: str) -> None:
        self._reader = reader
        self._digest = digest
        self._hash = digests.hasher(digest)

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` or a part of it."""
        count = self._reader.readinto(buffer)
        self._hash.update(buffer[:count])
        if not count and self._hash.hexdigest() != digests.encoded(self._digest):
            raise DigestMismatch(tr("its content does not hash to its digest"))
        return count

    def close(self) -> None:
        """Close the reader below."""
        self._reader.close()

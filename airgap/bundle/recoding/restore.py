# SPDX-License-Identifier: Apache-2.0
"""Gives the gzip bytes of a recoded layer as a stream: payload, zstd, tar, exact encoder.

Nothing of it lies on the disk, and of the layer only some MiB in memory. The last piece is given only after the digests
of payload, tar and gzip bytes were found right.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from airgap.bundle.recoded import REGION_SIZE, RecodedLayer
from airgap.bundle.recoding.codecs import encode
from airgap.bundle.recoding.raw_files import RawFile
from airgap.bundle.recoding.zstd import BadFrame, decompress
from airgap.errors import AirgapError, BundleError
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.store.protocols import Reader
from airgap.store.readers import BUFFER_SIZE


class RestoringReader:
    """The gzip bytes of ``layer``, without the first ``skip``. ``payload`` and ``prefix`` are what it is made of.

    ``failure`` turns a text into the error to raise: for a payload that is damaged, and for a layer that an encoder
    does not make again.
    """

    def __init__(
        self, layer: RecodedLayer, payload: Reader, prefix: RawFile | None, failure: Callable[[str], AirgapError],
        *, skip: int = 0,
    ) -> None:  # fmt: skip
        self._layer, self._payload, self._prefix, self._failure, self._skip = layer, payload, prefix, failure, skip
        self._payload_hash = digests.hasher(layer.payload.digest)
        self._pieces = self._gzip_pieces()
        self._piece = memoryview(b"")

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` or a part of it; return the number of bytes, 0 at the end of the layer."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)[self._skip :]
            self._skip = max(0, self._skip - len(piece))
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def close(self) -> None:
        """Release the encoder and the payload."""
        self._pieces.close()
        self._payload.close()

    def _gzip_pieces(self) -> Generator[bytes, None, None]:
        """Yield the gzip bytes; hold the last piece back until everything was checked."""
        layer = self._layer
        gzip_hash, raw_hash = digests.hasher(layer.digest), digests.hasher(layer.raw_digest)
        size, held = 0, b""

        def raw() -> Iterator[bytes]:
            for piece in self._raw_pieces():
                raw_hash.update(piece)
                yield piece

        for piece in encode(layer.codec, layer.header, raw()):
            size += len(piece)
            if size > layer.size:
                raise self._failure(tr("more than its {size} bytes come out", size=layer.size))
            gzip_hash.update(piece)
            if held:
                yield held
            held = piece
        if self._payload_hash.hexdigest() != digests.encoded(layer.payload.digest):
            raise self._failure(tr("its payload is damaged"))
        if raw_hash.hexdigest() != digests.encoded(layer.raw_digest):
            raise self._failure(tr("its tar is not the one that was recoded"))
        if size != layer.size or gzip_hash.hexdigest() != digests.encoded(layer.digest):
            raise self._failure(tr("the encoder {codec} made other bytes of its tar", codec=layer.codec))
        if held:
            yield held

    def _raw_pieces(self) -> Iterator[bytes]:
        region = b""
        for number, segment in enumerate(self._layer.segments):
            del region  # before the next one is read: it is the largest part of the memory
            region = self._prefix.region(segment.offset, REGION_SIZE) if self._prefix else b""
            try:
                yield from decompress(self._frame(segment.size), self._layer.raw_size_of(number), region)
            except BadFrame as error:
                raise self._failure(tr("its payload is damaged ({error})", error=error)) from error

    def _frame(self, size: int) -> Callable[[], bytes]:
        """Return a function that gives the next bytes of a frame of ``size`` bytes."""
        buffer = memoryview(bytearray(min(size, BUFFER_SIZE)))
        left = size

        def read() -> bytes:
            nonlocal left
            count = self._payload.readinto(buffer[: min(left, len(buffer))]) if left else 0
            left -= count
            self._payload_hash.update(buffer[:count])
            return bytes(buffer[:count])

        return read


def restore_failure(layer: RecodedLayer, where: str, hint: str) -> Callable[[str], AirgapError]:
    """Return what turns the reason why ``layer`` cannot be restored into an error with ``hint``."""

    def failure(reason: str) -> AirgapError:
        what = tr("the layer {digest} cannot be restored: {reason}", digest=layer.digest, reason=reason)
        return BundleError(what, where=where or None, hint=hint)

    return failure

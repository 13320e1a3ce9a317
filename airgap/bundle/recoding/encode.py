# SPDX-License-Identifier: Apache-2.0
"""Recodes one gzip layer, and proves it: what is kept was restored, and had the layer's digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from airgap import limits
from airgap.bundle.recoded import (
    HEADER_SIZE,
    PAYLOAD_TYPE,
    REGION_SIZE,
    SEGMENT_SIZE,
    Prefix,
    RecodedLayer,
    Segment,
)
from airgap.bundle.recoding.codecs import encode, encoders
from airgap.bundle.recoding.gunzip import gunzip
from airgap.bundle.recoding.raw_files import RawFile
from airgap.bundle.recoding.restore import RestoringReader, restore_failure
from airgap.bundle.recoding.zstd import compress, trial_size
from airgap.bundle.required_layers import RequiredLayer
from airgap.durable import writing
from airgap.errors import BundleError, ContentError
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.store.readers import BUFFER_SIZE, FileRange, read_verified, translate_read_errors

#: A payload must be at least this much smaller than the layer.
_MINIMUM_GAIN = 0.05
#: The bytes of a tar by which older layers are compared.
_SAMPLE_SIZE = 8 * 1024 * 1024
#: What an older layer must at least leave away of what a layer takes by itself: the far side has to fetch it.
_WORTHWHILE = 0.9
#: A gzip layer of fewer bytes crosses whole: the inventory would grow by as much as is saved.
SMALLEST_LAYER = 4096
#: The reasons why a layer crosses whole.
UNKNOWN_ENCODER, INEXACT, SMALL_GAIN, NO_GZIP = "unknown-encoder", "inexact", "small-gain", "no-gzip"


class OldLayer(Record):
    """The older layer whose tar is the prefix: where the far side has it, and its tar here."""

    layer: RequiredLayer
    raw: RawFile

    def region_offset(self, number: int, raw_size: int) -> int:
        """Return where the region for the frame ``number`` begins: around the same share of the older tar."""
        middle = (number * SEGMENT_SIZE + min(SEGMENT_SIZE, raw_size - number * SEGMENT_SIZE) // 2) * self.raw.size
        return max(0, min(middle // max(1, raw_size) - REGION_SIZE // 2, self.raw.size - REGION_SIZE))


class Whole(Record):
    """A layer that crosses as it is, and ``why``. ``codec`` is the encoder that was tried last."""

    why: str
    codec: str = ""


def recode(
    layer: Descriptor, source: Path, payload: Path, older: Callable[[], Sequence[OldLayer]], check: Callable[[], None]
) -> RecodedLayer | Whole:
    """Recode the gzip layer in the file ``source`` into the file ``payload``, which is removed if that is of no use.

    ``older`` gives the older layers that it may be like; the one that helps most is taken, or none. ``check`` is called
    for every piece, and raises what stops the work. Raises :class:`airgap.errors.UnsupportedBundle` without encoders,
    :class:`airgap.errors.OutputError`.
    """
    try:
        recoded = _recode(layer, source, payload, older, check)
    except BaseException:
        payload.unlink(missing_ok=True)
        raise
    if isinstance(recoded, Whole):
        payload.unlink(missing_ok=True)
    return recoded


def _recode(
    layer: Descriptor, source: Path, payload: Path, older: Callable[[], Sequence[OldLayer]], check: Callable[[], None]
) -> RecodedLayer | Whole:
    try:
        raw_start = _raw_start(source, check)
        with translate_read_errors(str(source)), open(source, "rb") as file:
            header = file.read(HEADER_SIZE)
            file.seek(0)
            codecs = encoders().detect(file, raw_start, header)
        if not codecs:
            return Whole(UNKNOWN_ENCODER)
        codec, raw_size = _exact_codec(layer, source, header, codecs, check)
    except ContentError:
        return Whole(NO_GZIP)
    if not codec:
        return Whole(INEXACT, codecs[0])
    old = _most_alike(source, raw_size, older(), check)
    limit = int(layer.size * (1 - _MINIMUM_GAIN))
    written = _write_payload(source, payload, raw_size, old, limit, check)
    if written is None:
        return Whole(SMALL_GAIN, codec)
    descriptor, raw_digest, segments = written
    prefix = Prefix(old.raw.digest, old.raw.size, old.layer) if old else None
    recoded = RecodedLayer(
        layer.digest, layer.size, descriptor, raw_digest, raw_size, codec, header, segments, prefix
    )  # fmt: skip
    return recoded if _is_restored(recoded, layer, payload, old, check) else Whole(INEXACT, codec)


def _raw_start(source: Path, check: Callable[[], None]) -> bytes:
    """Return the first MiB of the tar. Raises :class:`ContentError` for what is no gzip."""
    start = b""
    for piece in _raw_pieces(source, check):
        start += piece
        if len(start) >= BUFFER_SIZE:
            break
    return start[:BUFFER_SIZE]


def _exact_codec(
    layer: Descriptor, source: Path, header: bytes, codecs: Sequence[str], check: Callable[[], None]
) -> tuple[str, int]:
    """Return the first of ``codecs`` that makes the same gzip bytes of the layer's tar, and the size of the tar; an
    empty name if none does. Raises :class:`ContentError`."""
    raw_size = 0

    def measured() -> Iterator[bytes]:
        nonlocal raw_size
        raw_size = 0
        for piece in _raw_pieces(source, check):
            raw_size += len(piece)
            yield piece

    for codec in codecs:
        hash_, size = digests.hasher(layer.digest), 0
        for piece in encode(codec, header, measured()):
            size += len(piece)
            hash_.update(piece)
            if size > layer.size:
                break
        if size == layer.size and hash_.hexdigest() == digests.encoded(layer.digest):
            return codec, raw_size
    return "", 0


def _most_alike(source: Path, raw_size: int, older: Sequence[OldLayer], check: Callable[[], None]) -> OldLayer | None:
    """Return the older layer with which the beginning of the tar becomes the smallest; ``None`` if it hardly helps."""
    if not older:
        return None
    start = b""
    for piece in _raw_pieces(source, check):
        start += piece
        if len(start) >= _SAMPLE_SIZE:
            break
    sizes = {}
    for number, old in enumerate(older):
        sizes[number] = trial_size(start, old.raw.region(old.region_offset(0, raw_size), REGION_SIZE))
    best = min(sizes, key=lambda number: sizes[number])
    return older[best] if sizes[best] < trial_size(start, b"") * _WORTHWHILE else None


def _write_payload(
    source: Path, payload: Path, raw_size: int, old: OldLayer | None, limit: int, check: Callable[[], None]
) -> tuple[Descriptor, str, tuple[Segment, ...]] | None:
    """Write the frames of the tar. Return the payload, the digest of the tar and the frames; ``None`` if the payload
    would have more than ``limit`` bytes."""
    payload_hash, raw_hash = hashlib.sha256(), hashlib.sha256()
    segments: list[Segment] = []
    size = 0
    with writing(payload), open(payload, "wb") as file:
        for number, raw in enumerate(_segments(_raw_pieces(source, check))):
            raw_hash.update(raw)
            offset = old.region_offset(number, raw_size) if old else 0
            frame = compress(raw, old.raw.region(offset, REGION_SIZE) if old else b"")
            size += len(frame)
            if size > limit:
                return None
            payload_hash.update(frame)
            file.write(frame)
            segments.append(Segment(len(frame), offset))
    descriptor = Descriptor(PAYLOAD_TYPE, f"sha256:{payload_hash.hexdigest()}", size)
    return descriptor, f"sha256:{raw_hash.hexdigest()}", tuple(segments)


def _is_restored(
    recoded: RecodedLayer, layer: Descriptor, payload: Path, old: OldLayer | None, check: Callable[[], None]
) -> bool:
    """Whether the layer is made again as an import will make it."""
    payload_reader = FileRange(os.open(payload, os.O_RDONLY), 0, recoded.payload.size, owned=True, where=str(payload))
    reader = RestoringReader(
        recoded, payload_reader, old.raw if old else None, restore_failure(recoded, str(payload), "")
    )
    try:
        read_verified(layer, reader, lambda piece, offset: check())
    except (BundleError, ContentError):
        return False
    finally:
        reader.close()
    return True


def _raw_pieces(source: Path, check: Callable[[], None]) -> Iterator[bytes]:
    """Yield the tar of the gzip layer in the file ``source``."""
    with translate_read_errors(str(source)):
        reader = FileRange(os.open(source, os.O_RDONLY), 0, os.path.getsize(source), owned=True, where=str(source))
    try:
        for piece in gunzip(reader, limits.value("recoded-layer-bytes")):
            check()
            yield piece
    finally:
        reader.close()


def _segments(pieces: Iterator[bytes]) -> Iterator[memoryview]:
    """Yield the pieces joined to :data:`SEGMENT_SIZE` bytes; the last one has what is left."""
    buffer, filled = memoryview(bytearray(SEGMENT_SIZE)), 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            count = min(len(rest), SEGMENT_SIZE - filled)
            buffer[filled : filled + count] = rest[:count]
            filled, rest = filled + count, rest[count:]
            if filled == SEGMENT_SIZE:
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]

# SPDX-License-Identifier: Apache-2.0
"""The exact encoders of ``airgap.recode``, asked before they are relied on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType

from airgap.bundle.recoded import HEADER_SIZE, RecodedLayer
from airgap.errors import UnsupportedBundle
from airgap.i18n import tr


def encoders(where: str = "") -> ModuleType:
    """Return the room ``airgap.recode``. Raises :class:`UnsupportedBundle` where its library cannot be used."""
    from airgap import recode

    if not recode.library_available():
        raise UnsupportedBundle(
            tr("exact encoders are missing here: {why}", why=recode.why_unavailable()),
            where=where or None,
            hint=tr("take a package of airgap for this platform; without them, bundles cross plain"),
        )
    return recode


def check_codecs(layers: Iterable[RecodedLayer], where: str, hint: str) -> None:
    """Check that the encoder of each of ``layers`` is known, and that it passes its own test vectors.

    Raises :class:`UnsupportedBundle` with ``hint``, before anything was restored.
    """
    recode = encoders(where)
    for codec in sorted({layer.codec for layer in layers}):
        if codec not in recode.CODECS:
            raise UnsupportedBundle(
                tr("this version does not know the encoder {codec!r}", codec=codec), where=where, hint=hint
            )
        try:
            recode.self_test(codec)
        except recode.CodecFailure as error:
            raise UnsupportedBundle(
                tr("the encoder {codec} does not work here: {error}", codec=codec, error=error), where=where, hint=hint
            ) from error


def encode(codec: str, header: bytes, raw_pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the gzip bytes that ``codec`` makes of a tar, with ``header`` in place of its own: it may have a time."""
    start = b""
    with encoders().Encoder(codec) as encoder:

        def encoded() -> Iterator[bytes]:
            for raw in raw_pieces:
                yield encoder.update(raw)
            yield encoder.finish()

        for piece in encoded():
            if len(start) >= HEADER_SIZE:
                if piece:
                    yield piece
                continue
            start += piece
            if len(start) >= HEADER_SIZE:
                yield header + start[HEADER_SIZE:]

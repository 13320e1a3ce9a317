# SPDX-License-Identifier: Apache-2.0
"""The gzip stream of a layer, made again byte for byte out of what it holds.

The writers of layers are few, and each always gives the same bytes for the same content: ``codecs`` are their names,
and which of them a gzip header leaves. ``encoder`` makes a stream by one of them, ``detection`` finds those that may
have written one, ``vectors`` proves that a codec gives the bytes that it should on this machine. The encoders are C, in
``native/``; ``library`` loads what was compiled of it. Without that this room says so, and the rest of the program
works. This room knows no bundle and no registry. ``docs/adr/0052-exact-encoders.md`` has the reasons.
"""

from airgap.recode.codecs import CODECS, UnknownCodec, candidates
from airgap.recode.detection import detect
from airgap.recode.encoder import Encoder
from airgap.recode.library import CodecFailure, library_available, why_unavailable
from airgap.recode.vectors import self_test

__all__ = [
    "CODECS",
    "CodecFailure",
    "Encoder",
    "UnknownCodec",
    "candidates",
    "detect",
    "library_available",
    "self_test",
    "why_unavailable",
]

# SPDX-License-Identifier: Apache-2.0
"""``export --recode --dry-run``: what recoding would save, from the headers of the layers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from airgap.bundle import Base
from airgap.bundle.recoded import HEADER_SIZE
from airgap.bundle.recoding.codecs import encoders
from airgap.bundle.recoding.selection import gzip_layers
from airgap.flows.steps.make_bundle import LaidOutContent
from airgap.flows.steps.older_layers import older_layers
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.registry import Registries
from airgap.store.protocols import Source
from airgap.transfer import Context, parallel_map

#: What recoding usually leaves of layers without and with an older one, as ``bench/recode.py`` measures it.
_USUAL_SHARE, _DELTA_SHARE = 0.8, 0.2


def estimate(
    content: LaidOutContent, base: Base | None, registries: Registries, context: Context
) -> Iterator[str]:  # fmt: skip
    """Yield a line about what recoding would save, from the headers of the layers and from what was measured."""
    recode_room = encoders()
    plan, sources = content.plan, content.sources
    layers = gzip_layers(plan)
    alike: Collection[str] = ()
    if base is not None:
        with older_layers(plan, sources, base, registries, Path(), context) as older:
            alike = older.candidates.keys()

    def may_be_recoded(layer: Descriptor) -> bool:
        header = _first_bytes(sources[plan.blobs[layer.digest].sources[0]], layer)
        return bool(recode_room.candidates(header))

    answers = parallel_map(layers, may_be_recoded, workers=context.jobs.control, cancel=context.cancel)
    candidates = [layer for layer, answer in zip(layers, answers, strict=True) if answer is True]
    size = sum(layer.size for layer in candidates)
    after = sum(layer.size * (_DELTA_SHARE if layer.digest in alike else _USUAL_SHARE) for layer in candidates)
    yield tr(
        "recoding: {count} of {layers} look like an encoder that is known; about {after} instead of {before}",
        count=len(candidates), layers=counted(len(layers), "layer"), after=human(after),
        before=human(size),
    )  # fmt: skip


def _first_bytes(source: Source, layer: Descriptor) -> bytes:
    reader = source.open(layer)
    try:
        header = memoryview(bytearray(HEADER_SIZE))
        filled = 0
        while filled < HEADER_SIZE and (count := reader.readinto(header[filled:])):
            filled += count
        return bytes(header[:filled])
    finally:
        reader.close()

# SPDX-License-Identifier: Apache-2.0
"""What recoding saved, by encoder, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airgap.bundle.recoded import RecodedLayer
from airgap.bundle.recoding.encode import INEXACT, NO_GZIP, SMALL_GAIN, UNKNOWN_ENCODER, Whole
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.oci import Descriptor


def describe(layers: Sequence[Descriptor], results: Mapping[str, RecodedLayer | Whole]) -> Iterator[str]:
    """Yield a line about all layers, one for each encoder, and one for each reason to carry layers whole."""
    reasons = {
        UNKNOWN_ENCODER: tr("written by an encoder that is not known"),
        INEXACT: tr("not made again exactly"),
        SMALL_GAIN: tr("hardly smaller"),
        NO_GZIP: tr("no gzip of one member"),
    }
    recoded = {digest: result for digest, result in results.items() if isinstance(result, RecodedLayer)}
    before = sum(layer.size for layer in layers)
    after = sum(recoded[layer.digest].payload.size if layer.digest in recoded else layer.size for layer in layers)
    yield tr(
        "recoded {count} of {layers}: {after} instead of {before} ({share} %)",
        count=len(recoded), layers=counted(len(layers), "layer"), after=human(after), before=human(before),
        share=after * 100 // before if before else 100,
    )  # fmt: skip
    for codec in sorted({result.codec for result in recoded.values()}):
        of_codec = [result for result in recoded.values() if result.codec == codec]
        yield tr(
            "{codec}: {layers}, {after} instead of {before}, {deltas} with an older layer",
            codec=codec, layers=counted(len(of_codec), "layer"),
            after=human(sum(result.payload.size for result in of_codec)),
            before=human(sum(result.size for result in of_codec)),
            deltas=sum(result.prefix is not None for result in of_codec),
        )  # fmt: skip
    for why, text in reasons.items():
        sizes = [
            layer.size for layer in layers
            if isinstance(result := results[layer.digest], Whole) and result.why == why
        ]  # fmt: skip
        if sizes:
            yield tr(
                "whole: {layers} of {size}, {reason}",
                layers=counted(len(sizes), "layer"), size=human(sum(sizes)), reason=text,
            )  # fmt: skip

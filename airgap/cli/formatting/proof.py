# SPDX-License-Identifier: Apache-2.0
"""A proof as lines for people: what is ready, then each cause with its images and what mends it."""

from __future__ import annotations

from collections.abc import Iterator

from airgap.cli.formatting.columns import left
from airgap.cli.printing import Line, Styled
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.prove.model import Cause
from airgap.prove.proof import Proof

#: Images that are listed for one cause; --json lists all.
_MOST_IMAGES = 10


def _mark(word: str) -> str:
    return left(word, 10)


def proof_lines(proof: Proof) -> Iterator[Line]:
    """Yield the lines of a proof."""
    ready = len(proof.verdicts) - len(proof.missing)
    summary = tr(
        "{ready} of {images} would be pulled by {runtime} ({root}, {platform})",
        ready=ready, images=counted(len(proof.verdicts), "image"), runtime=proof.runtime, root=proof.root,
        platform=proof.platform,
    )  # fmt: skip
    yield (
        Styled(_mark(tr("ready")), "green") if proof.ready else Styled(_mark(tr("NOT READY")), "red", True),
        summary,
    )
    for host, images in proof.other_sources.items():
        count = counted(len(images), "image")
        yield Styled(_mark(tr("note"))), tr("{count} would come from {host}, not from {target}", count=count,
                                             host=host, target=proof.target)  # fmt: skip
    for cause in proof.causes:
        yield from _cause_lines(cause, Styled(_mark(tr("PROBLEM")), "red", bold=True))
    for cause in proof.warnings:
        yield from _cause_lines(cause, Styled(_mark(tr("warning")), "yellow"))


def _cause_lines(cause: Cause, mark: Styled) -> Iterator[Line]:
    yield mark, cause.fault.what
    for image, detail in cause.images[:_MOST_IMAGES]:
        yield (f"{'':12}{image}" + (f"   {detail}" if detail else ""),)
    if more := cause.images[_MOST_IMAGES:]:
        yield (f"{'':12}" + tr("and {count} more; --json lists all", count=len(more)),)
    for step in cause.fault.fix:
        yield f"{'':10}", Styled(step, bold=True)

# SPDX-License-Identifier: Apache-2.0
"""The last line of export, import and migrate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.events import Finished
from airgap.formatting import counted, human
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.transfer import Report


def summary(finished: Finished) -> str:
    """Return the line: what was made, how much moved and how fast, and what did not need to move."""
    parts = [
        tr(
            "{moved_bytes} {how} at {rate}/s",
            moved_bytes=human(finished.moved_bytes),
            how=finished.how,
            rate=human(finished.rate),
        )
        if finished.moved
        else tr("nothing {how}", how=finished.how)
    ]
    if finished.resumed:
        parts.append(
            tr(
                "{blob_count} resumed ({resumed_bytes} of them already there)",
                blob_count=counted(finished.resumed, "blob"),
                resumed_bytes=human(finished.resumed_bytes),
            )
        )
    for count, size, word in (
        (finished.mounted, finished.mounted_bytes, "mounted"),
        (finished.skipped, finished.skipped_bytes, tr("already there")),
    ):
        if count:
            parts.append(f"{counted(count, 'blob')} ({human(size)}) {word}")
    return tr(
        "{text}; {parts}; {elapsed:.1f} s in all", text=finished.text, parts=", ".join(parts), elapsed=finished.elapsed
    )


def finished_event(text: str, how: str, images: int, report: Report, seconds: float) -> Finished:
    """Return the event at the end of a copy. ``seconds`` is the time of the whole command."""
    rate = report.moved_bytes / max(report.seconds, 0.001)
    return Finished(
        text, how, images, report.manifests,
        report.moved, report.moved_bytes, report.resumed, report.resumed_bytes,
        report.mounted, report.mounted_bytes, report.skipped, report.skipped_bytes,
        round(report.seconds, 3), round(rate), round(seconds, 3),
    )  # fmt: skip

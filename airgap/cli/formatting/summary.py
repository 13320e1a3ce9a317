# SPDX-License-Identifier: Apache-2.0
"""The last line of export, import and migrate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.events import Finished
from airgap.formatting import counted, human

if TYPE_CHECKING:
    from airgap.transfer import Report


def summary(finished: Finished) -> str:
    """Return the line: what was made, how much moved and how fast, and what did not need to move."""
    parts = [
        f"{human(finished.moved_bytes)} {finished.how} at {human(finished.rate)}/s"
        if finished.moved
        else f"nothing {finished.how}"
    ]
    if finished.resumed:
        parts.append(
            f"{counted(finished.resumed, 'blob')} resumed ({human(finished.resumed_bytes)} of them already there)"
        )
    for count, size, word in (
        (finished.mounted, finished.mounted_bytes, "mounted"),
        (finished.skipped, finished.skipped_bytes, "already there"),
    ):
        if count:
            parts.append(f"{counted(count, 'blob')} ({human(size)}) {word}")
    return f"{finished.text}; {', '.join(parts)}; {finished.elapsed:.1f} s in all"


def finished_event(text: str, how: str, images: int, report: Report, seconds: float) -> Finished:
    """Return the event at the end of a copy. ``seconds`` is the time of the whole command."""
    rate = report.moved_bytes / max(report.seconds, 0.001)
    return Finished(
        text, how, images, report.manifests,
        report.moved, report.moved_bytes, report.resumed, report.resumed_bytes,
        report.mounted, report.mounted_bytes, report.skipped, report.skipped_bytes,
        round(report.seconds, 3), round(rate), round(seconds, 3),
    )  # fmt: skip

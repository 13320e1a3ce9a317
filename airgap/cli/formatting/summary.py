# SPDX-License-Identifier: Apache-2.0
"""The last line that export, import and migrate share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.events import Finished
from airgap.formatting import counted, human

if TYPE_CHECKING:
    from airgap.transfer import Report


def summary(done: Finished) -> str:
    """The last line of an export or import: what it made, what moved and how fast, what did not have to."""
    parts = [f"{human(done.moved_bytes)} {done.how} at {human(done.rate)}/s" if done.moved else f"nothing {done.how}"]
    if done.resumed:
        parts.append(f"{counted(done.resumed, 'blob')} resumed ({human(done.resumed_bytes)} of them already there)")
    for count, size, word in (
        (done.mounted, done.mounted_bytes, "mounted"),
        (done.skipped, done.skipped_bytes, "already there"),
    ):
        if count:
            parts.append(f"{counted(count, 'blob')} ({human(size)}) {word}")
    return f"{done.text}; {', '.join(parts)}; {done.elapsed:.1f} s in all"


def finished(text: str, how: str, images: int, report: Report, seconds: float) -> Finished:
    """The event for a copy that is over; ``seconds`` are those of the whole command."""
    rate = report.moved_bytes / max(report.seconds, 0.001)
    return Finished(
        text, how, images, report.manifests,
        report.moved, report.moved_bytes, report.resumed, report.resumed_bytes,
        report.mounted, report.mounted_bytes, report.skipped, report.skipped_bytes,
        round(report.seconds, 3), round(rate), round(seconds, 3),
    )  # fmt: skip

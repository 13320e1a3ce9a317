# SPDX-License-Identifier: Apache-2.0
"""The last lines of export, import and migrate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from airgap.cli.formatting.columns import display_width, left
from airgap.events import Finished
from airgap.formatting import counted, escaped, human
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.transfer import Report


#: What happened to the bytes that moved.
_HOW = {"fetched": tr("fetched"), "pushed": tr("pushed"), "sent": tr("sent")}


def summary(finished: Finished) -> str:
    """Return the result: one line, or with ``name`` aligned lines.

    It tells what was made, how much moved and how fast, and what did not need to move.
    """
    if finished.name:
        return "\n".join(_aligned(_rows(finished)))
    return tr(
        "{text}; {value}; {elapsed:.1f} s in all",
        text=escaped(finished.text),
        value=", ".join([_new(finished), *_reused(finished)]),
        elapsed=finished.elapsed,
    )


def _rows(finished: Finished) -> list[tuple[str, str]]:
    rows = [
        (tr("bundle") if finished.how == "fetched" else tr("target"), finished.name),
        (tr("images"), finished.text),
        (tr("platforms"), ", ".join(finished.platforms)),
        (tr("new"), _new(finished)),
        (tr("reused"), ", ".join(_reused(finished)) or tr("nothing")),
        (tr("time"), tr("{elapsed:.1f} s", elapsed=finished.elapsed)),
        (tr("next"), finished.next),
    ]
    return [(label, escaped(value)) for label, value in rows if value]


def _aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(display_width(label) for label, _ in rows)
    return [f"{left(label, width)}  {value}" for label, value in rows]


def _new(finished: Finished) -> str:
    how = _HOW.get(finished.how, finished.how)
    if not finished.moved:
        return tr("nothing {how}", how=how)
    return tr(
        "{moved_bytes} {how} at {rate}/s",
        moved_bytes=human(finished.moved_bytes),
        how=how,
        rate=human(finished.rate),
    )


def _reused(finished: Finished) -> list[str]:
    parts = []
    if finished.resumed:
        parts.append(
            tr(
                "{blob_count} resumed ({resumed_bytes} of them already there)",
                blob_count=counted(finished.resumed, "blob"),
                resumed_bytes=human(finished.resumed_bytes),
            )
        )
    for count, size, word in (
        (finished.mounted, finished.mounted_bytes, tr("mounted")),
        (finished.skipped, finished.skipped_bytes, tr("already there")),
    ):
        if count:
            parts.append(f"{counted(count, 'blob')} ({human(size)}) {word}")
    return parts


def finished_event(
    text: str,
    how: str,
    images: int,
    report: Report,
    seconds: float,
    *,
    name: str = "",
    platforms: Iterable[object] = (),
    next_command: str = "",
) -> Finished:
    """Return the event at the end of a copy. ``seconds`` is the time of the whole command.

    With ``name``, of the bundle or the target, the result is shown in aligned lines.
    """
    rate = report.moved_bytes / max(report.seconds, 0.001)
    return Finished(
        text, how, images, report.manifests,
        report.moved, report.moved_bytes, report.resumed, report.resumed_bytes,
        report.mounted, report.mounted_bytes, report.skipped, report.skipped_bytes,
        round(report.seconds, 3), round(rate), round(seconds, 3),
        name, tuple(map(str, platforms)), next_command,
    )  # fmt: skip

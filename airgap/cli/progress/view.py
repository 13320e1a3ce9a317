# SPDX-License-Identifier: Apache-2.0
"""Draws a :class:`~airgap.cli.progress.model.ProgressModel` as lines of text that fit a terminal of any size.

Pure functions: no line is wider than the terminal. What does not fit is left out, the least important first.
"""

from __future__ import annotations

from collections.abc import Sequence

from airgap.cli.formatting.columns import cut, display_width, right
from airgap.cli.progress.model import BlobTransfer, PendingRetry, ProgressModel
from airgap.formatting import escaped, human
from airgap.i18n import tr

#: The most lines below the bar.
_MAX_LINES = 5
#: Characters of a bar. If the parts beside it leave less than ``_MIN_BAR``, some parts are left out; below
#: ``_SHORTEST_BAR`` there is no bar.
_SHORTEST_BAR, _MIN_BAR, _MAX_BAR = 4, 8, 40
#: A line about a blob that is narrower than this shows only percentage and digest.
_MIN_BLOB_LINE = 24
#: An image's name that would get fewer characters than this is left out.
_MIN_NAME = 4


def draw(model: ProgressModel, width: int, height: int, *, ascii_only: bool = False) -> list[str]:
    """Return a bar for the whole copy, and below it the largest blobs and the requests that wait for another try.

    ``width`` and ``height`` are the terminal's in characters. The last column and the last line stay free, since a
    terminal may wrap or scroll after them.
    """
    columns = width - 1
    max_lines = max(0, min(_MAX_LINES, height - 2))
    retries = model.retries
    retry_by_digest = {retry.digest: retry for retry in retries}
    other_retries = [retry for retry in retries if retry.digest not in model.transfers]
    lines = [
        _blob_line(transfer, retry_by_digest.get(transfer.digest), model, columns, ascii_only)
        for transfer in model.largest_transfers()
    ]
    if other_retries:
        last_line = max(0, max_lines - 1)
        lines.insert(min(last_line, len(lines)), _retries_line(other_retries, model, columns))
    if len(lines) > max_lines > 1 and not other_retries:
        hidden = len(lines) - max_lines + 1
        lines = [*lines[: max_lines - 1], tr("  and {hidden} more", hidden=hidden)]
    lines = [_total_line(model, columns, ascii_only), *lines[:max_lines]]
    return [cut(line, columns).rstrip() for line in lines]


def draw_plain(model: ProgressModel) -> str:
    """Return one line with the progress of the whole copy, for logs."""
    parts = [tr("{moved} of {total}", moved=human(model.moved), total=human(model.total)), f"{human(model.rate)}/s"]
    seconds_left = model.seconds_left
    if seconds_left is not None:
        parts.append(_left(seconds_left))
    return ", ".join(parts)


def _left(seconds: float | None) -> str:
    return tr("{time} left", time=format_seconds(seconds)) if seconds is not None else ""


def format_seconds(seconds: float) -> str:
    """Return ``0:14`` or ``1:02:03``; ``days`` from 100 hours on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return tr("days")
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _total_line(model: ProgressModel, columns: int, ascii_only: bool) -> str:
    seconds_left = model.seconds_left
    parts = [
        right(
            tr("{moved} of {total}", moved=human(model.moved), total=human(model.total)),
            display_width(human(model.total)) * 2 + 4,
        ),
        right(f"{human(model.rate)}/s", 10),
        right(_left(seconds_left), 12),
    ]
    return _bar_line(_percentage(model.ratio), model.ratio, parts, columns, ascii_only)


def _blob_line(
    transfer: BlobTransfer, retry: PendingRetry | None, model: ProgressModel, columns: int, ascii_only: bool
) -> str:
    ratio = transfer.moved / transfer.size if transfer.size > 0 else 0.0
    if columns < _MIN_BLOB_LINE:
        digest = _short_digest(transfer.digest)
        return f"  {digest}  {_retry_reason(retry, model)}" if retry else f"{_percentage(ratio)} {digest}"
    label = _blob_label(transfer, columns // 2)
    if retry is not None:
        return f"  {label}  {_retry_reason(retry, model)}"
    size = tr("{moved} of {size}", moved=human(transfer.moved), size=human(transfer.size))
    return _bar_line(f"  {label} {_percentage(ratio)}", ratio, [size], columns, ascii_only)


def _blob_label(transfer: BlobTransfer, columns: int) -> str:
    """The image's name without registry and path, and the digest, by which layers of one image are told apart.

    Not wider than ``columns``, as far as the digest allows that.
    """
    digest = _short_digest(transfer.digest)
    name, at, _ = transfer.image.partition("@")
    name = escaped(name if at else transfer.image).rpartition("/")[2]
    room = columns - len(digest) - 3
    return f"{cut(name, room)} {digest}" if name and room >= _MIN_NAME else digest


def _retries_line(retries: Sequence[PendingRetry], model: ProgressModel, columns: int) -> str:
    """One line for all requests that are not about a blob on its way: the next one and the number of the others."""
    next_retry = retries[0]
    more = tr(" (and {retries_count} more)", retries_count=len(retries) - 1) if len(retries) > 1 else ""
    return f"  {cut(escaped(next_retry.what), max(12, columns // 2))}  {_retry_reason(next_retry, model)}{more}"


def _retry_reason(retry: PendingRetry, model: ProgressModel) -> str:
    seconds = max(0.0, retry.until - model.clock())
    return tr("again in {seconds:.0f} s: {reason}", seconds=seconds, reason=escaped(retry.reason))


def _short_digest(digest: str) -> str:
    return escaped(digest.rpartition(":")[2][:12])


def _percentage(ratio: float) -> str:
    return f"{int(ratio * 100):3}%"


def _bar_line(label: str, ratio: float, parts: Sequence[str], columns: int, ascii_only: bool) -> str:
    """``label``, a bar, and as many of ``parts`` as fit beside a bar of ``_MIN_BAR``."""
    shown_parts: list[str] = []
    used = display_width(label)
    for part in parts:
        if used + display_width(part) + 2 + _MIN_BAR + 1 > columns:
            break
        shown_parts.append(part)
        used += display_width(part) + 2
    length = min(_MAX_BAR, columns - used - 1)
    if length < _SHORTEST_BAR:
        return label
    filled = int(ratio * length)
    filled_char, empty_char = ("#", ".") if ascii_only else ("━", "─")
    return "  ".join([f"{label} {filled_char * filled}{empty_char * (length - filled)}", *shown_parts])

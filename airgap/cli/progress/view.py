# SPDX-License-Identifier: Apache-2.0
"""A :class:`~airgap.cli.progress.model.Tally` as a few lines that fit a terminal of any width and height.

Pure: a size in, lines out, none wider than asked. What does not fit is left out, the least telling first; narrower
than a percentage, nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from airgap.cli.formatting.printable import printable
from airgap.cli.progress.model import Running, Tally, Waiting
from airgap.formatting import human

#: Lines under the bar at most.
_BLOBS = 5
_LEAST_BAR, _MOST_BAR = 8, 40


def draw(tally: Tally, width: int, height: int, *, plain: bool = False) -> list[str]:
    """The bar, the largest blobs on their way, and what waits for another try. ``width`` and ``height`` are the
    terminal's in characters; ``plain`` keeps to ASCII. The last column and the last line stay free: a terminal may
    wrap or scroll after them."""
    room = width - 1
    lines = [_bar(tally, room, plain)]
    space = max(0, min(_BLOBS, height - 2))
    waiting = tally.waiting
    blobs = tally.largest()
    named = {one.digest: one for one in waiting}
    loose = [one for one in waiting if one.digest not in tally.running]
    below = [_blob(blob, named.get(blob.digest), tally, room, plain) for blob in blobs]
    if loose:
        below.insert(min(space - 1, len(below)) if space else 0, _again(loose, tally, room))
    if len(below) > space > 1:
        hidden = len(below) - space + 1
        below = [*below[: space - 1], f"  and {hidden} more"] if not loose else below[:space]
    lines += below[:space]
    return [line[: max(0, room)].rstrip() for line in lines]


def plainly(tally: Tally) -> str:
    """The same in one line, for logs."""
    parts = [f"{human(tally.moved)} of {human(tally.total)}", f"{human(tally.rate)}/s"]
    if tally.left is not None:
        parts.append(f"{clock(tally.left)} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """``0:14``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return "days"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(tally: Tally, room: int, plain: bool) -> str:
    left = tally.left
    parts = [
        f"{human(tally.moved)} of {human(tally.total)}".rjust(len(human(tally.total)) * 2 + 4),
        f"{human(tally.rate)}/s".rjust(10),
        (f"{clock(left)} left" if left is not None else "").rjust(12),
    ]
    return _fitted(_percent(tally.ratio), tally.ratio, parts, room, plain)


def _blob(blob: Running, waiting: Waiting | None, tally: Tally, room: int, plain: bool) -> str:
    name = f"  {short(blob.digest)}"
    if waiting is not None:
        return f"{name}  {_why(waiting, tally)}"
    ratio = blob.moved / blob.size if blob.size > 0 else 0.0
    size = f"{human(blob.moved)} of {human(blob.size)}"
    if room < 24:
        return f"{_percent(ratio)} {name.strip()}"
    return _fitted(f"{name} {_percent(ratio)}", ratio, [size], room, plain)


def _again(waiting: Sequence[Waiting], tally: Tally, room: int) -> str:
    one = waiting[0]
    more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
    return f"  {printable(one.what)[: max(12, room // 2)]}  {_why(one, tally)}{more}"


def _why(waiting: Waiting, tally: Tally) -> str:
    seconds = max(0.0, waiting.until - tally.clock())
    return f"again in {seconds:.0f} s: {printable(waiting.reason)}"


def short(digest: str) -> str:
    """Enough of a digest to tell blobs apart."""
    return printable(digest.rpartition(":")[2][:12])


def _percent(ratio: float) -> str:
    return f"{int(ratio * 100):3}%"


def _fitted(first: str, ratio: float, parts: Sequence[str], room: int, plain: bool) -> str:
    """``first``, a bar, and as many of ``parts`` as fit beside the shortest bar."""
    kept: list[str] = []
    used = len(first)
    for part in parts:
        if used + len(part) + 2 + _LEAST_BAR + 1 > room:
            break
        kept.append(part)
        used += len(part) + 2
    length = min(_MOST_BAR, room - used - 1)
    if length < 4:
        return first
    full = int(ratio * length)
    on, off = ("#", ".") if plain else ("━", "─")
    return "  ".join([f"{first} {on * full}{off * (length - full)}", *kept])

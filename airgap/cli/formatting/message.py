# SPDX-License-Identifier: Apache-2.0
"""Keeps messages short: at most four lines, one message for failures of one cause. ``--verbose`` shows everything."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from airgap.cli.folding import display_width, folded, terminal_columns
from airgap.cli.formatting.columns import cut
from airgap.errors import AirgapError
from airgap.events import ImageFailed
from airgap.i18n import tr
from airgap.records import Record

#: The most lines of one message, its hint included.
MAX_LINES = 4
#: Columns of a line where standard error is no terminal. A narrower terminal than the minimum counts as that wide.
_WIDTH, _MIN_WIDTH = 120, 80
#: Up to this number, failures of one cause are separate messages.
MAX_SEPARATE = 3
_MORE = tr(" … (--verbose shows all of it)")
#: Characters before a hint.
_INDENT = 2


class Message(Record):
    """One error as it is printed: what happened, and its hint or an empty string."""

    text: str
    hint: str


class MessageLimits(Record):
    """How much of a message is printed: ``MAX_LINES`` lines of ``width`` columns; with ``verbose``, all of it.

    On a ``terminal`` lines are folded between words.
    """

    verbose: bool = False
    width: int = _WIDTH
    terminal: bool = False

    @classmethod
    def of_terminal(cls, *, verbose: bool) -> MessageLimits:
        """Return the limits for standard error."""
        columns = terminal_columns(sys.stderr)
        return cls(verbose, max(_MIN_WIDTH, columns), terminal=True) if columns else cls(verbose)

    def line(self, text: str, *, used: int = 0) -> str:
        """Return a warning or a note, shortened. ``used`` columns are printed before it."""
        return self._cut(text, MAX_LINES, used)

    def message(self, message: Message, *, used: int) -> Message:
        """Return an error shortened. Its hint, which may have a command to paste, is cut only if it fills three lines.

        ``used`` columns are printed before the text, and as many as fit an indentation before the hint.
        """
        hint = self._cut(message.hint, MAX_LINES - 1, _INDENT)
        hint_lines = self._lines(hint, _INDENT) if hint else 0
        return Message(self._cut(message.text, MAX_LINES - hint_lines, used), hint)

    def _cut(self, text: str, lines: int, used: int) -> str:
        if self.verbose or self._lines(text, used) <= lines:
            return text
        kept = cut(text, lines * self.width - used - display_width(_MORE))
        while " " in kept:  # whole words, unless the text has none
            kept = kept[: kept.rfind(" ")]
            if self._lines(kept + _MORE, used) <= lines:
                break
        return f"{kept}{_MORE}".replace(", …", " …")

    def _lines(self, text: str, used: int) -> int:
        """The number of lines that ``text`` takes behind ``used`` columns."""
        if not self.terminal:
            return -(-(display_width(text) + used) // self.width)
        before = (" " if used == _INDENT else "x") * used
        lines = folded(before + text, self.width).split("\n")
        return sum(max(1, -(-display_width(line) // self.width)) for line in lines)


def messages(errors: Sequence[AirgapError], *, verbose: bool) -> list[Message]:
    """Return a message for each error, and one for more than three of one cause; with ``verbose`` one for each."""
    groups: dict[tuple[object, ...], list[AirgapError]] = {}
    for number, error in enumerate(errors):
        groups.setdefault((number,) if verbose else _cause(error), []).append(error)
    shown: list[Message] = []
    for group in groups.values():
        if len(group) > MAX_SEPARATE:
            shown.append(_group_message(group))
        else:
            shown += [Message(str(error), error.hint or "") for error in group]
    return shown


def cause_of_failure(event: ImageFailed) -> str:
    """Return what is the same for all images that failed for one reason."""
    return _without_place(event.reason, event.reference)


def _cause(error: AirgapError) -> tuple[object, ...]:
    """What errors of one cause have in common: everything but the place, which text and hint may repeat."""
    return type(error), _without_place(error.what, error.where), _without_place(error.hint or "", error.where)


def _without_place(text: str, where: str | None) -> str:
    """``text`` without ``where`` and without the last part of it, such as a tag or a line number."""
    if not where:
        return text
    text = text.replace(where, "")
    for separator in ("@", ":"):
        name, found, last = where.rpartition(separator)
        if found and last:
            return " ".join(word for word in text.replace(name, "").split() if word.strip(",;.()'\"") != last)
    return text


def _group_message(group: Sequence[AirgapError]) -> Message:
    first = group[0]
    others = [error.where or "" for error in group[1:]]
    names = ", ".join(_distinct(other for other in others if other and other != first.where))
    also = tr("; the same for {names}", names=names) if names else ""
    return Message(
        tr(
            "{group_count} failures of one cause; the first: {first}{also}",
            group_count=len(group),
            first=first,
            also=also,
        ),
        first.hint or "",
    )


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))

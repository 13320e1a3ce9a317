# SPDX-License-Identifier: Apache-2.0
"""Formats the known messages that ``airgap doctor --explain`` found."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.cli.printing import Line, Styled
from airgap.explain import Match
from airgap.i18n import tr

#: Matches that are shown in full. The first one is the most likely cause; the rest are only named.
_MAX_SHOWN = 3


def explanation_lines(matches: Sequence[Match]) -> list[Line]:
    """Return the lines for ``matches``: what was recognised, its cause and what to do."""
    lines: list[Line] = []
    for match in matches[:_MAX_SHOWN]:
        if lines:
            lines.append(())
        message = match.message
        lines.append((Styled(message.title, bold=True), f"  [{message.id}]"))
        lines.append((tr("  said:  {text}", text=match.text),))
        lines.append((tr("  cause: {cause}", cause=message.cause),))
        for step in match.steps:
            lines.append((f"  - {step.say}",))
            lines += [(f"      {line}",) for line in step.run]
        if message.guide:
            lines.append((tr("  more:  {guide}", guide=_guide_path(message.guide)),))
    rest = [match.message.id for match in matches[_MAX_SHOWN:]]
    if rest:
        lines += [(), (tr("also in this text: {rest} (docs/error-messages.md)", rest=", ".join(rest)),)]
    return lines


def explanation_json(match: Match) -> dict[str, object]:
    """Return the JSON object of one match."""
    message = match.message
    return {
        "id": message.id,
        "title": message.title,
        "certainty": match.certainty,
        "said": match.text,
        "cause": message.cause,
        "remedy": [{"say": step.say, "run": list(step.run)} for step in match.steps],
        "guide": _guide_path(message.guide) if message.guide else None,
    }


def _guide_path(guide: str) -> str:
    """The path of a guide from the root of the source tree."""
    return guide.removeprefix("../") if guide.startswith("../") else f"docs/{guide}"

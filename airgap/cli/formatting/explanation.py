# SPDX-License-Identifier: Apache-2.0
"""What ``airgap doctor --explain`` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from airgap.cli.formatting.printable import printable
from airgap.errors import AirgapError, UsageError
from airgap.explain import Match
from airgap.explain import explain as search
from airgap.targets import TargetAddress

#: More than these are not worth reading; the first is the likeliest.
_SHOWN = 3
_GUIDES = "docs"


def explain(text: str, target: str | None, *, as_json: bool) -> None:
    """Print the entries that ``text`` speaks of; raise :class:`AirgapError` (exit code 1) where there are none."""
    if not text.strip():
        raise UsageError("there is no text to explain", hint="give the message as it was printed")
    host = TargetAddress.parse(target).registry if target else ""
    found = search(text, host=host)
    if as_json:
        click.echo(json.dumps([_json(match) for match in found], indent=2, ensure_ascii=False))
    if not found:
        raise AirgapError(
            "no message that airgap knows is in this text",
            hint="give all of it: kubectl describe pod POD | airgap doctor --explain -, or on the node journalctl -u "
            "containerd -n 200 | airgap doctor --explain -; if it stays unknown, report that output with the versions "
            "of client and registry, without passwords",
        )
    if not as_json:
        _print(found)


def _print(found: Sequence[Match]) -> None:
    if found[0].certainty == "near":
        click.echo("No known message stands there word for word; these resemble it.", err=True)
    for number, match in enumerate(found[:_SHOWN]):
        if number:
            click.echo()
        entry = match.entry
        click.echo(f"{click.style(entry.title, bold=True)}  [{entry.id}]")
        click.echo(f"  said:  {printable(match.said)}")
        click.echo(f"  cause: {entry.cause}")
        for step in match.steps:
            click.echo(f"  - {step.say}")
            for line in step.run:
                click.echo(f"      {line}")
        if entry.guide:
            click.echo(f"  more:  {_guide(entry.guide)}")
    rest = [match.entry.id for match in found[_SHOWN:]]
    if rest:
        click.echo(f"\nalso in this text: {', '.join(rest)} (docs/error-messages.md)")


def _guide(guide: str) -> str:
    return guide.removeprefix("../") if guide.startswith("../") else f"{_GUIDES}/{guide}"


def _json(match: Match) -> dict[str, object]:
    entry = match.entry
    return {
        "id": entry.id,
        "title": entry.title,
        "certainty": match.certainty,
        "said": match.said,
        "cause": entry.cause,
        "remedy": [{"say": step.say, "run": list(step.run)} for step in match.steps],
        "guide": _guide(entry.guide) if entry.guide else None,
    }

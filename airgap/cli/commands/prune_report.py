# SPDX-License-Identifier: Apache-2.0
"""What ``airgap prune`` prints: the table of what goes, the question, and what is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from airgap.cli.formatting.columns import right
from airgap.cli.printing import Styled, say, say_json
from airgap.errors import Incomplete
from airgap.events import Noted, Sink, Warned
from airgap.flows.prune.plan import Left
from airgap.flows.prune.prune import PrunePlan, PruneResult
from airgap.formatting import counted, human
from airgap.i18n import tr

_WIDTH = 10


def show_plan(plan: PrunePlan, emit: Sink) -> None:
    """Print what goes, by size, and emit what stays all the same."""
    registry = plan.target.mapping.address.registry if plan.target is not None else ""
    if not plan.is_empty:
        say(Styled(f"{right(tr('FREES'), _WIDTH)}  {right(tr('SIZE'), _WIDTH)}  {tr('TO DELETE')}", bold=True))
    for image in plan.images.images:
        what = "  " + tr("(the tag alone)") if image.only_tag else ""
        what = what or ("" if image.tag else "  " + tr("(without a tag)"))
        say(f"{right(human(image.frees), _WIDTH)}  {right(human(image.size), _WIDTH)}  {registry}/{image.place}{what}")
    for file in plan.files.files:
        say(f"{right(human(file.size), _WIDTH)}  {right(human(file.size), _WIDTH)}  {file.label}")
    if not plan.is_empty:
        say(f"{right(human(plan.frees), _WIDTH)}  {right('', _WIDTH)}  {tr('in all: {what}', what=_contents(plan))}")
    for one in plan.left:
        emit(Warned(tr("{name} stays: {reason}", name=one.name, reason=one.reason)))


def _contents(plan: PrunePlan) -> str:
    """How many tags, signatures and artifacts go."""
    images, files, removals = len(plan.images.images), len(plan.files.files), len(plan.images.removals)
    parts = [counted(images, "image")] if images or not files else []
    parts += [counted(removals - images, "signature")] if removals > images else []
    return ", ".join([*parts, *([counted(files, "artifact")] if files else [])])


def _total(plan: PrunePlan) -> str:
    return f"{_contents(plan)} ({human(plan.frees)})"


def confirm(plan: PrunePlan) -> bool:
    """Ask whether all this may be deleted."""
    question = tr("Delete {what} at {place}?", what=_total(plan), place=plan.place)
    return click.confirm(question, default=False, err=True)


def finish_plan(plan: PrunePlan, emit: Sink, *, dry_run: bool, as_json: bool) -> None:
    """Print what would be deleted, in one line or as JSON.

    Raises :class:`Incomplete` if there is nothing to delete but what cannot be deleted, unless it is a dry run.
    """
    if as_json:
        say_json(_document(plan, None))
    elif plan.is_empty:
        emit(Noted(tr("{place}: nothing to delete", place=plan.place)))
    else:
        emit(Noted(tr("{place}: would delete {what}", place=plan.place, what=_total(plan))))
    if not dry_run:
        _raise_for_failed(plan.left)


def finish(plan: PrunePlan, result: PruneResult, emit: Sink, *, as_json: bool) -> None:
    """Print what is gone and what gives the space back. Raises :class:`Incomplete` for what could not be deleted."""
    if as_json:
        say_json(_document(plan, result))
    else:
        before = set(plan.left)
        for one in result.left:
            if one not in before:
                emit(Warned(tr("{name} stays: {reason}", name=one.name, reason=one.reason)))
        parts = [counted(len(result.images.images), "image")] if plan.target is not None else []
        parts += [counted(len(result.files), "artifact")] if plan.files.files else []
        kept = counted(len(plan.images.staying), "tag")
        emit(Noted(tr("{place}: deleted {what}; {kept} as before", place=plan.place, what=", ".join(parts), kept=kept)))
        for step in result.next_steps:
            emit(Noted(tr("to get the space back: {step}", step=step)))
    _raise_for_failed(result.left)


def _raise_for_failed(left: Sequence[Left]) -> None:
    if names := ", ".join(one.name for one in left if one.failed):
        raise Incomplete(tr("not deleted: {names}", names=names), again=True)


def _document(plan: PrunePlan, result: PruneResult | None) -> dict[str, Any]:
    registry = plan.target.mapping.address.registry if plan.target is not None else ""
    done = result is not None
    images = result.images.images if result is not None else plan.images.images
    files = result.files if result is not None else plan.files.files
    return {
        "target": plan.place,
        "deleted": done,
        "images": [image.to_json(registry) for image in sorted(images, key=lambda one: (-one.frees, one.place))],
        "artifacts": [file.to_json() for file in files],
        "frees": plan.frees,
        "staying": len(plan.images.staying),
        "left": [one.to_json() for one in (result.left if result is not None else plan.left)],
        "next_steps": result.next_steps if result is not None else [],
    }

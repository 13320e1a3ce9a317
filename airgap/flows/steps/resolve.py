# SPDX-License-Identifier: Apache-2.0
"""From what was found to what must move: every reference asked of its registry, guesses only where that is fair."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airgap.bundle import Lockfile
from airgap.errors import UsageError
from airgap.events import Noted, Sink
from airgap.flows.images import Found
from airgap.oci import Platform, Reference
from airgap.records import Record
from airgap.registry import Registries, Repository
from airgap.transfer import Context, Destination, Plan, Root, plan

#: The name of the only target of an export.
BUNDLE = "bundle"


class Resolved(Record):
    """``plan.failures`` are left to the caller; ``unresolved`` are guesses that no registry confirmed."""

    plan: Plan
    sources: dict[str, Repository]
    unresolved: list[str]


def resolve(
    found: Found,
    registries: Registries,
    context: Context,
    *,
    platforms: Sequence[Platform] = (),
    referrers: bool = False,
    locked: Lockfile | None = None,
    named: Collection[str] = (),
) -> Resolved:
    """Plan everything that ``found`` needs. ``named`` are registries that may be asked of guesses too.

    Raises :class:`UsageError` for references that ``locked`` does not know.
    """
    roots = _roots(found, locked, named)
    sources = {root.source: _repository(registries, root) for root in roots}
    planned = plan(
        roots, sources, context,
        platforms=platforms, referrers=referrers, known_referrers=locked.referrers if locked else None,
    )  # fmt: skip
    return Resolved(planned, sources, _set_guesses_aside(planned, found, context.emit))


def _roots(found: Found, locked: Lockfile | None, named: Collection[str]) -> list[Root]:
    """What is asked of registries: a guess only where something surer names its registry too."""
    roots = []
    unlocked = []
    guesses = found.guesses()
    trusted = {*named, *(reference.registry for reference in found.references() if reference not in guesses)}
    for reference in found.references():
        if reference in guesses and reference.registry not in trusted:
            continue
        name = reference.identifier
        if locked is not None:
            entry = locked.images.get(str(reference))
            if entry is None and reference in guesses:
                continue
            if entry is None:
                unlocked.append(str(reference))
                continue
            name = entry.digest
        roots.append(Root(str(reference), reference.name, name, (Destination(BUNDLE),)))
    if unlocked:
        raise UsageError(
            f"the lock does not know {', '.join(unlocked)}",
            hint="--refresh resolves everything anew and rewrites the lock",
        )
    return roots


def _repository(registries: Registries, root: Root) -> Repository:
    reference = Reference.parse(root.label)
    return registries.repository(reference.registry, reference.repository)


def _set_guesses_aside(planned: Plan, found: Found, emit: Sink) -> list[str]:
    """A reference that only looked like one and that no registry knows is no error; it is told."""
    guesses = {str(reference) for reference in found.guesses()}
    refused = {root.label for root, _ in planned.failures} & guesses
    planned.failures = [(root, error) for root, error in planned.failures if root.label not in guesses]
    unresolved = sorted(guesses - {image.root.label for image in planned.images})
    for label in unresolved:
        why = (
            "its registry does not know it"
            if label in refused
            else "nothing else names its registry, so none was asked"
        )
        emit(Noted(f"{label} looked like an image, but {why}; left out (--image takes it)"))
    return unresolved

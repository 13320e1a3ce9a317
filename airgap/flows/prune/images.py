# SPDX-License-Identifier: Apache-2.0
"""Plans the deletion of images: reads the target and chooses."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, cast

from airgap.errors import TargetError
from airgap.flows.prune.brought import Brought
from airgap.flows.prune.chosen import Referrers, no_referrers
from airgap.flows.prune.kept import Kept
from airgap.flows.prune.plan import ImagePlan
from airgap.flows.prune.reading import read_contents
from airgap.flows.prune.selection import select_images
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.registry import Repository
from airgap.targets import Remover, Target
from airgap.transfer import Context, parallel_map


def plan_images(target: Target, remover: Remover, brought: Brought, kept: Kept, context: Context) -> ImagePlan:
    """Read all repositories that airgap has brought something to or that it keeps something in, and choose what goes.

    Raises :class:`TargetError` where none of the images to keep is there: it may be another target.
    """
    registry = target.mapping.address.registry
    names = sorted({name for name, _ in (*brought.images, *kept.tags)})
    context.note(tr("reading {repositories}", repositories=counted(len(names), "repository", "repositories")))
    own = {} if remover.cleans_up else brought.digests
    contents = read_contents(target, {name: own.get(name, ()) for name in names}, context)
    there = {(name, tag) for name, found in contents.items() for tag in found.tags}
    known = {place for place in there if kept.keeps(*place, brought.sources.get(place, ()))}
    if (kept.tags or kept.sources) and not known and there & brought.images.keys():
        raise TargetError(
            tr("none of the images to keep is there"),
            where=str(target.mapping.address),
            hint=tr("check TARGET and --mapping, and import what is to be kept first"),
        )
    referrers = no_referrers if remover.cleans_up else _referrers_of(target, context)
    return select_images(contents, brought, kept, registry, referrers)


def _referrers_of(target: Target, context: Context) -> Referrers:
    """Ask the target for manifests that refer to others, which no tag leads to."""

    def referrers(repository: str, digests: Collection[str]) -> Collection[str]:
        store = cast("Repository", target.open(repository))
        ask: Callable[[str], Any] = store.indexed_referrers
        lists = parallel_map(digests, ask, workers=context.jobs.control, cancel=context.cancel)
        return {referrer.digest for found in lists if isinstance(found, list) for referrer in found}

    return referrers

# SPDX-License-Identifier: Apache-2.0
"""The export's side of a differential bundle: which layers stay behind, and how that is told.

Only layers do. A manifest or a config is small, an importing side needs them to know what to ask for, and a blob that
is a config to one image crosses for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airgap.bundle import Base, Inventory, Origin, Required
from airgap.events import Noted, Sink
from airgap.formatting import counted, human
from airgap.records import Record
from airgap.transfer import Plan


class LeftOut(Record):
    """Layers that stay behind, the largest first, and the names of the bundles that brought them."""

    requires: tuple[Required, ...] = ()
    bases: tuple[Origin, ...] = ()


def leave_out(planned: Plan, base: Base | None, emit: Sink) -> LeftOut:
    """Take what ``base`` holds out of the plan's blobs, and tell how much that is."""
    if base is None:
        return LeftOut()
    crossing = {*planned.manifests, *(m.config.digest for m in planned.manifests.values() if m.config)}
    total, requires = planned.blob_bytes, []
    for digest, job in list(planned.blobs.items()):
        held = base.held.get(digest)
        # Another size under one digest: one of the two is wrong, and only what crosses can be checked.
        if held is None or digest in crossing or held.size not in (None, job.descriptor.size):
            continue
        requires.append(Required(digest, job.descriptor.size, held.repositories, held.origin))
        del planned.blobs[digest]
    requires.sort(key=lambda required: (-required.size, required.digest))
    named = {required.origin for required in requires}
    saved = sum(required.size for required in requires)
    share = f", {saved * 100 // total} % of what these images need" if total else ""
    emit(Noted(f"{base.path}: {counted(len(requires), 'layer')} of {human(saved)} stay behind{share}"))
    return LeftOut(tuple(requires), tuple(base.origins[key] for key in sorted(base.origins) if key in named))


def by_origin(required: Iterable[Required], bases: Sequence[Origin]) -> list[tuple[str, list[Required]]]:
    """What is required by what brought it, in words: ``the bundle ID (platform 1.10)``."""
    names = {base.id: base for base in bases}
    groups: dict[str | None, list[Required]] = {}
    for one in required:
        groups.setdefault(one.origin, []).append(one)
    return [
        ("a bundle that nobody named" if origin is None else str(names.get(origin, Origin(origin))), groups[origin])
        for origin in sorted(groups, key=lambda origin: origin or "")
    ]


def needs(inventory: Inventory) -> list[str]:
    """A line for each bundle that this one builds on; none where it is whole."""
    return [
        f"differential: without {counted(len(group), 'layer')} of {human(sum(one.size for one in group))} "
        f"that came with {brought}"
        for brought, group in by_origin(inventory.requires, inventory.bases)
    ]

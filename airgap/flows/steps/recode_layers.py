# SPDX-License-Identifier: Apache-2.0
"""``export --recode``: fetches the gzip layers into a folder beside the bundle, recodes them, lays the bundle out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from airgap.bundle import Base, Inventory
from airgap.bundle.recoded import RecodedLayer, artifact_contents
from airgap.bundle.recoding.codecs import encoders
from airgap.bundle.recoding.encode import OldLayer, Whole, recode
from airgap.bundle.recoding.layout import recoded_layout
from airgap.bundle.recoding.report import describe
from airgap.bundle.recoding.selection import gzip_layers
from airgap.bundle.recoding.spool import Spool
from airgap.bundle.recoding.zstd import load_zstd
from airgap.flows.steps.make_bundle import LaidOutContent
from airgap.flows.steps.older_layers import OlderLayers, older_layers
from airgap.flows.steps.resolve import BUNDLE
from airgap.formatting import human
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.records import replace
from airgap.registry import Registries
from airgap.transfer import Context, CopyOptions, Plan, copy, parallel_map
from airgap.transfer.plan import BlobJob

#: The name of the folder among the plan's sources.
_SPOOL = "recoded"


def recode_layers(
    content: LaidOutContent, folder: Path, base: Base | None, registries: Registries, context: Context
) -> LaidOutContent:
    """Recode every gzip layer that becomes smaller; the others cross as they are.

    ``base`` says which older layers the far side holds.

    Raises :class:`airgap.errors.UnsupportedBundle` where encoders or zstd are missing, before anything is fetched.
    """
    encoders()
    load_zstd()
    spool, plan = Spool(folder), content.plan
    layers = gzip_layers(plan)
    context.note(
        tr(
            "recoding needs up to {size} of disk in {folder}, and there the tars of older layers",
            size=human(sum(layer.size for layer in layers)),
            folder=folder,
        )
    )
    tars = folder / "older"
    with ExitStack() as stack:
        older = None
        if base is not None:
            shutil.rmtree(tars, ignore_errors=True)
            tars.mkdir()
            stack.callback(shutil.rmtree, tars, ignore_errors=True)
            older = stack.enter_context(older_layers(plan, content.sources, base, registries, tars, context))
        results = _recode_all(layers, content, spool, older, context)
    recoded = {digest: result for digest, result in results.items() if isinstance(result, RecodedLayer)}
    summary = tuple(describe(layers, results))
    inventory, layout = content.inventory, content.layout
    if recoded:
        inventory, layout = recoded_layout(inventory, layout, recoded, base.bundles if base else {})
    plan = _from_spool(plan, results, inventory)
    return LaidOutContent(plan, {**content.sources, _SPOOL: spool}, inventory, layout, summary)


def _recode_all(
    layers: Sequence[Descriptor], content: LaidOutContent, spool: Spool, older: OlderLayers | None, context: Context
) -> dict[str, RecodedLayer | Whole]:
    """Return how each of ``layers`` crosses. What an earlier run did is not done again."""
    candidates = {
        layer.digest: list(older.candidates.get(layer.digest, ())) if older is not None else [] for layer in layers
    }
    names = {digest: [candidate.layer.digest for candidate in found] for digest, found in candidates.items()}
    results: dict[str, RecodedLayer | Whole] = {}
    for layer in layers:
        if kept := spool.load(layer, names[layer.digest]):
            results[layer.digest] = kept
    pending = [layer for layer in layers if layer.digest not in results]
    if pending:
        fetched = Plan(blobs={layer.digest: content.plan.blobs[layer.digest] for layer in pending})
        copy(fetched, content.sources, {BUNDLE: spool}, context, CopyOptions(verb="fetched"))

    def older_tars(layer: Descriptor) -> list[OldLayer]:
        found = [older.tars.get(candidate) for candidate in candidates[layer.digest]] if older is not None else []
        return [old for old in found if old is not None]

    def work(layer: Descriptor) -> RecodedLayer | Whole:
        paths = (spool.layer_path(layer.digest), spool.payload_path(layer.digest))
        result = recode(layer, *paths, lambda: older_tars(layer), context.cancel.check)
        spool.keep(layer, names[layer.digest], result)
        return result

    workers = max(1, min(context.jobs.transfers, os.cpu_count() or 1))
    made = parallel_map(pending, work, workers=workers, cancel=context.cancel)
    for layer, result in zip(pending, made, strict=True):
        assert isinstance(result, RecodedLayer | Whole)
        results[layer.digest] = result
    return results


def _from_spool(plan: Plan, results: Mapping[str, RecodedLayer | Whole], inventory: Inventory) -> Plan:
    """Return the plan of the bundle's blobs: payloads in place of layers, and what is in the folder from there."""
    blobs: dict[str, BlobJob] = {}
    for digest, job in plan.blobs.items():
        result = results.get(digest)
        if result is None:
            blobs[digest] = job
            continue
        new = BlobJob(result.payload if isinstance(result, RecodedLayer) else job.descriptor)
        new.sources.add([_SPOOL])
        new.targets.add(job.targets)
        blobs[new.descriptor.digest] = new
    contents = artifact_contents(inventory.recoded) if inventory.recoded else {}  # in the order of its blobs
    return replace(plan, blobs=blobs, inline_blobs={**plan.inline_blobs, **contents})

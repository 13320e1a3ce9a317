# SPDX-License-Identifier: Apache-2.0
"""Which layers a differential bundle leaves out, and how that is described to the user.

Only layers are left out, and files of other formats. Manifests and configs are small, and the import needs them to
know which layers to look for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from airgap.bundle.base import Base
from airgap.bundle.inventory import Inventory
from airgap.bundle.required_layers import BundleIdentity, RequiredLayer
from airgap.events import Noted, Sink
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.records import Record
from airgap.transfer import Plan


class OmittedLayers(Record):
    """The omitted layers, the largest first, and the bundles that brought them to the target."""

    requires: tuple[RequiredLayer, ...] = ()
    bases: tuple[BundleIdentity, ...] = ()


def omit_layers(plan: Plan, base: Base | None, emit: Sink, artifacts: Collection[str] = ()) -> OmittedLayers:
    """Remove the layers that ``base`` has from the plan's blobs, and emit a note with their size.

    ``artifacts`` are the digests of manifests of artifacts. A layer that both an image and an artifact need is omitted
    only if the base has it as both: registries and other repositories do not share content.
    """
    if base is None:
        return OmittedLayers()
    # A layer of one image may be the config, or even the manifest, of another.
    never_omitted = {*plan.manifests, *(m.config.digest for m in plan.manifests.values() if m.config)}
    total, requires = plan.blob_bytes, []
    of_images = {blob.digest for digest, m in plan.manifests.items() if digest not in artifacts for blob in m.blobs}
    of_artifacts = {blob.digest for digest, m in plan.manifests.items() if digest in artifacts for blob in m.blobs}
    for digest, job in list(plan.blobs.items()):
        holders = [base.blobs] * (digest in of_images) + [base.artifacts] * (digest in of_artifacts)
        if digest in never_omitted or not all(digest in held for held in holders):
            continue
        base_blob = holders[0][digest]
        # Two sizes for one digest: one of them is wrong, and only a blob in the bundle can be verified.
        if base_blob.size not in (None, job.descriptor.size):
            continue
        requires.append(RequiredLayer(digest, job.descriptor.size, base_blob.repositories, base_blob.origin))
        del plan.blobs[digest]
    requires.sort(key=lambda required: (-required.size, required.digest))
    origins = {required.origin for required in requires}
    omitted = sum(required.size for required in requires)
    share = tr(", {omitted} % of what these images need", omitted=omitted * 100 // total) if total else ""
    layers = tr(
        "{layer_count} ({omitted} in total{share})",
        layer_count=counted(len(requires), "layer"),
        omitted=human(omitted),
        share=share,
    )
    emit(Noted(tr("{path}: skipping {layers} that the target already has", path=base.path, layers=layers)))
    bases = tuple(base.bundles[bundle_id] for bundle_id in sorted(base.bundles) if bundle_id in origins)
    return OmittedLayers(tuple(requires), bases)


def group_by_origin(
    required: Iterable[RequiredLayer], bases: Sequence[BundleIdentity]
) -> list[tuple[str, list[RequiredLayer]]]:
    """Group layers by the bundle that brought them, sorted by its ID.

    Returns pairs of the bundle's description, such as ``the bundle ID (platform 1.10)``, and its layers.
    """
    bundles = {bundle.id: bundle for bundle in bases}
    groups: dict[str | None, list[RequiredLayer]] = {}
    for layer in required:
        groups.setdefault(layer.origin, []).append(layer)
    return [
        (
            tr("a bundle that nobody named") if origin is None else str(bundles.get(origin, BundleIdentity(origin))),
            groups[origin],
        )
        for origin in sorted(groups, key=lambda origin: origin or "")
    ]


def describe_requirements(inventory: Inventory) -> list[str]:
    """Return a line for each bundle that a differential bundle builds on; no line for a complete bundle."""
    return [
        tr(
            "differential: without {layer_count} of {sum} that came with {bundle}",
            layer_count=counted(len(layers), "layer"),
            sum=human(sum(layer.size for layer in layers)),
            bundle=bundle,
        )
        for bundle, layers in group_by_origin(inventory.requires, inventory.bases)
    ]

# SPDX-License-Identifier: Apache-2.0
"""The older layers at the target that recoded layers are restored from: found before anything is pushed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.bundle.recoded import RecodedLayer
from airgap.bundle.required_layers import RequiredLayer
from airgap.oci import Descriptor
from airgap.store.protocols import Reader, Store
from airgap.targets.base_layers import candidate_repositories, has_blob
from airgap.targets.mapping import Mapping as TargetMapping
from airgap.targets.protocols import Target
from airgap.transfer import Context, Plan, parallel_map


class LayersAtTarget:
    """The repositories of the target that have older layers, by the digest of the layer. Made by :meth:`find`."""

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self._stores = stores

    @classmethod
    def find(
        cls, layers: Sequence[RecodedLayer], needed: Plan, mapping: TargetMapping, target: Target, context: Context
    ) -> LayersAtTarget:
        """Ask the target for the older layer of each of ``layers``, in the repositories of the images of ``needed``
        that have the new one first."""
        wanted = {layer.prefix.layer.digest: (layer, layer.prefix.layer) for layer in layers if layer.prefix}
        candidates = {
            digest: candidate_repositories(needed.blobs[layer.digest].targets, older, mapping)
            for digest, (layer, older) in wanted.items()
        }
        names = dict.fromkeys(name for repositories in candidates.values() for name in repositories)
        stores = {name: target.open(name) for name in names}

        def find(digest: str) -> str:
            older = Descriptor("", digest, wanted[digest][1].size)
            return next((name for name in candidates[digest] if has_blob(stores[name], older)), "")

        digests = list(wanted)
        found = parallel_map(digests, find, workers=context.jobs.control, cancel=context.cancel)
        return cls({digest: stores[str(name)] for digest, name in zip(digests, found, strict=True) if name})

    def holds(self, layer: RequiredLayer) -> bool:
        """Whether the target has the layer."""
        return layer.digest in self._stores

    def open(self, layer: RequiredLayer) -> Reader:
        """Open a layer that the target has."""
        return self._stores[layer.digest].open(Descriptor("", layer.digest, layer.size))

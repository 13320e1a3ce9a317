# SPDX-License-Identifier: Apache-2.0
"""Finds older layers in bundles that are at hand. An older layer may itself be recoded, against one still older."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from airgap.bundle.omitted_layers import group_by_origin
from airgap.bundle.reader import BundleReader
from airgap.bundle.recoded import RecodedLayer, prefixes_of
from airgap.bundle.recoding.prefixes import LayerRestorer
from airgap.bundle.required_layers import RequiredLayer
from airgap.errors import ContentMissing
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.store.protocols import Reader

#: Layers that build on each other: more bundles than anybody keeps.
_LONGEST_CHAIN = 64


class OlderBundles:
    """The bundles that older layers are taken from."""

    def __init__(self, bundles: Sequence[BundleReader]) -> None:
        self._bundles = bundles

    def use(self, restorer: LayerRestorer) -> None:
        """Restore the recoded layers of these bundles with ``restorer``."""
        for bundle in self._bundles:
            bundle.restore = partial(restorer.open, bundle)

    def lacking(self, layer: RequiredLayer) -> RequiredLayer | None:
        """Return the layer that is not here: ``layer``, or the one that it is restored from; ``None`` if all are."""
        for _ in range(_LONGEST_CHAIN):
            bundle = self._holder(layer)
            if bundle is None:
                return layer
            recoded = bundle.inventory.recoded.get(layer.digest)
            if recoded is None or recoded.prefix is None:
                return None
            layer = recoded.prefix.layer
        return layer

    def recoded(self, layer: RequiredLayer) -> list[RecodedLayer]:
        """Return the recoded layers here that ``layer`` is restored from, itself included."""
        found: list[RecodedLayer] = []
        while (bundle := self._holder(layer)) and (recoded := bundle.inventory.recoded.get(layer.digest)):
            found.append(recoded)
            if recoded.prefix is None or len(found) >= _LONGEST_CHAIN:
                break
            layer = recoded.prefix.layer
        return found

    def open(self, layer: RequiredLayer) -> Reader:
        """Open a layer. Raises :class:`ContentMissing`."""
        bundle = self._holder(layer)
        if bundle is None:
            raise ContentMissing(tr("the older layer {digest} is not at hand", digest=layer.digest))
        return bundle.open(Descriptor("", layer.digest, layer.size))

    def _holder(self, layer: RequiredLayer) -> BundleReader | None:
        """Return the bundle that has the layer, rather as it is than recoded."""
        wanted = Descriptor("", layer.digest, layer.size)
        holders = [bundle for bundle in self._bundles if bundle.exists(wanted)]
        return min(holders, key=lambda bundle: layer.digest in bundle.inventory.recoded, default=None)


def missing_layers(
    bundle: BundleReader, layers: Iterable[RecodedLayer], lacking: Callable[[RequiredLayer], RequiredLayer | None]
) -> list[RequiredLayer]:
    """Return the older layers that ``layers`` of the bundle need and that ``lacking`` says are not at hand."""
    found = (lacking(prefix.layer) for prefix in prefixes_of(list(layers)))
    return list({layer.digest: layer for layer in found if layer}.values())


def missing_error(bundle: BundleReader, missing: Sequence[RequiredLayer], hint: str) -> ContentMissing:
    """Return the error for older layers that are not at hand, by the bundle that brought them."""
    origins = [
        tr("{layers} of {origin}: {digests}", layers=counted(len(layers), "layer"), origin=origin,
           digests=", ".join(f"{layer.digest} ({human(layer.size)})" for layer in layers))
        for origin, layers in group_by_origin(missing, bundle.inventory.bases)
    ]  # fmt: skip
    return ContentMissing(
        tr("older layers that its layers are restored from are missing: {origins}", origins="; ".join(origins)),
        where=str(bundle),
        hint=hint,
    )

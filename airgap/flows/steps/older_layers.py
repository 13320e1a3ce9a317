# SPDX-License-Identifier: Apache-2.0
"""The older images of ``--base``, and which of their layers new ones are recoded against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airgap.bundle import Base, BundleReader, open_bundle
from airgap.bundle.recoding.bases import OlderBundles
from airgap.bundle.recoding.older_tars import OlderTars
from airgap.bundle.recoding.pairing import Candidate, pair_layers
from airgap.bundle.recoding.prefixes import LayerRestorer
from airgap.bundle.recoding.raw_files import RawFiles
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.limits import value as limit
from airgap.oci import Descriptor, Reference
from airgap.records import Record
from airgap.registry import Registries
from airgap.store.protocols import Reader, Source
from airgap.store.readers import fetch
from airgap.transfer import Context, Plan, Root, plan

_BASE = "base"


class OlderLayers(Record):
    """The ``candidates`` for each new layer by its digest, and their ``tars``."""

    candidates: Mapping[str, list[Candidate]]
    tars: OlderTars


@contextmanager
def older_layers(
    new: Plan, sources: Mapping[str, Source], base: Base, registries: Registries, folder: Path, context: Context
) -> Iterator[OlderLayers]:
    """Give the older layers that ``base`` says the far side holds, while the block runs.

    An older image comes from the base if that is a bundle, else from its registry, by its digest; one that neither has
    is left out with a warning, and its successor is recoded by itself.
    """
    with ExitStack() as stack:
        bundle = stack.enter_context(open_bundle(base.path)) if base.is_bundle else None
        old, old_sources = _old_images(new, base, bundle, registries, context)
        for root, error in old.failures:
            context.warn(tr("the older image {name} is of no use: {error}", name=root.label, error=error))
        labels = {image.root.label: old_sources[image.root.source] for image in old.images}
        new_sources = {image.root.label: sources[image.root.source] for image in new.images}

        def read_new(label: str, config: Descriptor) -> bytes:
            kept = new.inline_blobs.get(config.digest)
            return kept if kept is not None else fetch(new_sources[label], config, limit=limit("config-bytes"))

        def read_old(label: str, config: Descriptor) -> bytes:
            return fetch(labels[label], config, limit=limit("config-bytes"))

        candidates = pair_layers(new, read_new, old, read_old, base)
        context.note(
            tr("{path}: {layers} may be like an older one", path=base.path,
               layers=counted(len(candidates), "layer"))
        )  # fmt: skip
        older = OlderBundles([bundle] if bundle else [])
        tars = stack.enter_context(RawFiles(folder))
        older.use(LayerRestorer(tars, older.open))

        def open_layer(candidate: Candidate) -> Reader:
            if older.lacking(candidate.layer) is None:
                return older.open(candidate.layer)
            reference = Reference.parse(candidate.label)
            repository = registries.repository(reference.registry, reference.repository)
            return repository.open(Descriptor("", candidate.layer.digest, candidate.layer.size))

        yield OlderLayers(candidates, OlderTars(tars, open_layer, context.warn))


def _old_images(
    new: Plan, base: Base, bundle: BundleReader | None, registries: Registries, context: Context
) -> tuple[Plan, dict[str, Source]]:
    """Return the images of ``base`` that have the name of a new one."""
    names = {Reference.parse(image.root.label).name for image in new.images if not image.referrer_of}
    roots: list[Root] = []
    sources: dict[str, Source] = {}
    for image in base.images:
        if image.reference.name not in names:
            continue
        if bundle is not None:
            sources[_BASE] = bundle
            roots.append(Root(str(image.reference), _BASE, image.digest))
        else:
            name = image.reference.name
            sources[name] = registries.repository(image.reference.registry, image.reference.repository)
            roots.append(Root(str(image.reference), name, image.derived_from or image.digest))
    return plan(roots, sources, context), sources

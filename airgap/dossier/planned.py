# SPDX-License-Identifier: Apache-2.0
"""A bundle that is not made yet: its inventory is known, its manifests are in memory, and configs are fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.bundle import Inventory, Resource
from airgap.dossier.facts import BundleFacts, FileFacts
from airgap.errors import ContentMissing, NotFound
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import Manifest
from airgap.records import Record
from airgap.store.protocols import Reader, Source
from airgap.store.readers import BytesReader, fetch
from airgap.transfer import Context, Plan
from airgap.transfer.pool import parallel_map


class PlannedBundle(Record):
    """What an export has planned. ``size`` is that of all ``paths`` together; ``sources`` are those of the plan."""

    inventory: Inventory
    size: int
    paths: Sequence[Path]
    plan: Plan
    sources: Mapping[str, Source]
    resources: Sequence[Resource] = ()
    notes: bytes = b""
    attached: Sequence[tuple[str, bytes]] = ()

    @property
    def root(self) -> str:
        """The digest that ``airgap/bundle.json`` will have."""
        return digests.of(self.inventory.to_bytes())

    def facts(self, name: str) -> BundleFacts:
        """Return the facts of the bundle, which will be called ``name``."""
        files = [FileFacts(path.name, "", 0) for path in self.paths] if len(self.paths) > 1 else []
        inventory = self.inventory
        return BundleFacts(
            name, self.root, "", self.size, files, inventory.name or "", inventory.version or "", (),
            len(inventory.requires), False,
        )  # fmt: skip


class PlannedSource:
    """The content of a planned bundle: manifests and configs, and small blobs of signatures; layers are not read."""

    def __init__(self, planned: PlannedBundle, context: Context) -> None:
        self._plan = planned.plan
        self._sources = planned.sources
        self._configs = dict(planned.plan.inline_blobs)
        wanted = {
            manifest.config.digest: manifest.config
            for manifest in self._plan.manifests.values()
            if manifest.is_container_image and manifest.config and manifest.config.digest not in self._configs
        }
        fetched = parallel_map(
            wanted.values(),
            lambda config: fetch(self, config, limit=config.size),
            workers=context.jobs.control,
            cancel=context.cancel,
        )
        self._configs.update(
            {digest: content for digest, content in zip(wanted, fetched, strict=True) if isinstance(content, bytes)}
        )

    def manifest(self, name: str, /) -> Manifest:
        """Return the manifest of a digest that is planned."""
        return self._plan.manifests[name]

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a digest that is planned. Raises :class:`NotFound`."""
        if name in self._plan.manifests:
            return self._plan.manifests[name].descriptor
        raise NotFound(tr("{name} is not in this bundle", name=name))

    def exists(self, descriptor: Descriptor, /) -> bool:
        """Whether the plan has it."""
        return descriptor.digest in self._plan.blobs or descriptor.digest in self._plan.manifests

    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Open a blob at its source. Raises :class:`ContentMissing`, and what the source raises."""
        content = self._configs.get(descriptor.digest)
        if content is not None:
            return BytesReader(content, offset)
        job = self._plan.blobs.get(descriptor.digest)
        if job is None:
            raise ContentMissing(tr("{digest} is not in this bundle", digest=descriptor.digest))
        return self._sources[job.sources[0]].open(descriptor, offset)

# SPDX-License-Identifier: Apache-2.0
"""The layers that are not in the bundle, or in no file at hand: finds them at the target before anything is pushed.

The inventory's ``requires`` names each layer with ``registry/repository`` names where the base had it. A name below the
target comes from a receipt and is used unchanged. Any other name is a source repository and is mapped with the mapping
of this import; a base that was imported with another mapping is therefore not found, and its receipt or an inventory of
the target must be given as base instead. The repositories that the image itself is pushed to are asked first.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from airgap.bundle import BundleReader, RequiredLayer
from airgap.errors import ContentMissing, NotFound, Rejected, Unauthorized, raise_all
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.oci import Descriptor, Reference
from airgap.oci.manifest import Manifest
from airgap.store.protocols import Opener, Reader, Store
from airgap.targets.mapping import Mapping as TargetMapping
from airgap.targets.protocols import Target
from airgap.transfer import Context, Plan, parallel_map
from airgap.transfer.plan import BlobJob


class BundleWithBaseLayers:
    """A bundle together with the layers that it lacks and the target has, as one source of a copy.

    They are what a differential bundle leaves out, and what lies in volumes that are not at hand.

    A layer of the target is downloaded only if the registry does not mount it.
    """

    def __init__(self, bundle: BundleReader) -> None:
        self.bundle = bundle
        sizes = {blob.digest: blob.size for blob in bundle.inventory.blobs}
        self.required = {
            **{required.digest: required for required in bundle.inventory.requires},
            **{digest: RequiredLayer(digest, sizes[digest]) for digest in bundle.missing_blobs},
        }
        self._base_stores: dict[str, Store] = {}

    @property
    def absent_manifests(self) -> Collection[str]:
        """The digests of manifests that indexes list and that the bundle does not have."""
        return self.bundle.absent_manifests

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a name in the bundle."""
        return self.bundle.resolve(name)

    def manifest(self, name: str) -> Manifest:
        """Return a manifest of the bundle."""
        return self.bundle.manifest(name)

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the bundle has the content or requires it with this digest and size."""
        required = self.required.get(descriptor.digest)
        return self.bundle.exists(descriptor) or (required is not None and required.size == descriptor.size)

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Read from the repository that :meth:`find_base_layers` found the layer in, else from the bundle."""
        store = self._base_stores.get(descriptor.digest)
        return self.bundle.open(descriptor, offset) if store is None else store.open(descriptor, offset)

    def check_blob(self, descriptor: Descriptor, opener: Opener) -> None:
        """Check a blob of the bundle; the registry answers for the layers that it has."""
        if self.bundle.exists(descriptor):
            self.bundle.check_blob(descriptor, opener)

    def find_base_layers(self, planned: Plan, mapping: TargetMapping, target: Target, context: Context) -> None:
        """Find a repository of the target for each required blob of ``planned``, and note it as mount source.

        Raises :class:`ContentMissing` that names all blobs that were not found, by the bundle that contains them.
        """
        required_jobs = [job for digest, job in planned.blobs.items() if digest in self.required]
        candidates = {
            job.descriptor.digest: candidate_repositories(job.targets, self.required[job.descriptor.digest], mapping)
            for job in required_jobs
        }
        names = dict.fromkeys(name for repositories in candidates.values() for name in repositories)
        stores = {name: target.open(name) for name in names}

        def find(job: BlobJob) -> str:
            repositories = candidates[job.descriptor.digest]
            return next((name for name in repositories if has_blob(stores[name], job.descriptor)), "")

        results = parallel_map(required_jobs, find, workers=context.jobs.control, cancel=context.cancel)
        missing = []
        for job, repository in zip(required_jobs, results, strict=True):
            digest = job.descriptor.digest
            if isinstance(repository, str) and repository:
                job.mount_sources = [repository]
                self._base_stores[digest] = stores[repository]
            else:
                missing.append(self.required[digest])
        elsewhere = [layer for layer in missing if layer.digest in self.bundle.missing_blobs]
        if elsewhere:
            raise self._missing_volumes(elsewhere)
        self._raise_missing(missing, candidates, planned, mapping)

    def _missing_volumes(self, layers: Sequence[RequiredLayer]) -> ContentMissing:
        """The error for layers that neither the target has nor a file that is at hand."""
        files = dict.fromkeys(
            path
            for layer in layers
            for path in self.bundle.files_of(Descriptor("", layer.digest, layer.size))
            if not os.path.exists(path)
        )
        return ContentMissing(
            tr(
                "the target lacks {layer_count} that are in volumes which are not here: {names}",
                layer_count=counted(len(layers), "layer"),
                names=", ".join(os.path.basename(path) for path in sorted(files)),
            ),
            where=str(self.bundle),
            hint=tr("nothing was pushed; put them there, or name each of them where it lies"),
            again=True,
        )

    def _raise_missing(
        self,
        missing: Iterable[RequiredLayer],
        candidates: Mapping[str, Iterable[str]],
        planned: Plan,
        mapping: TargetMapping,
    ) -> None:
        # Only a bundle that lacks layers needs the module.
        from airgap.bundle.omitted_layers import group_by_origin

        inventory = self.bundle.inventory
        users = _labels_by_blob(planned)
        errors = []
        for origin, layers in group_by_origin(missing, inventory.bases):
            described = ", ".join(
                tr(
                    "{digest} ({size}, for {users})",
                    digest=layer.digest,
                    size=human(layer.size),
                    users=", ".join(users[layer.digest]),
                )
                for layer in layers
            )
            asked = sorted({name for layer in layers for name in candidates[layer.digest]})
            has_origin = any(layer.origin for layer in layers)
            first = (
                tr("import that bundle first, to the same target with the same --mapping; or ") if has_origin else ""
            )
            errors.append(
                ContentMissing(
                    tr(
                        "the target lacks {layer_count} that {origin} {verb}: {described}; asked in {asked}",
                        layer_count=counted(len(layers), "layer"),
                        origin=origin,
                        verb=tr("brings") if has_origin else tr("brought there"),
                        described=described,
                        asked=", ".join(asked),
                    ),
                    where=str(self.bundle),
                    hint=tr(
                        "nothing was pushed; {first}export without --base, or with the base that this writes: "
                        "airgap inventory {argument} -o held.json",
                        first=first,
                        argument=mapping.address.argument,
                    ),
                )
            )
        raise_all(errors)


def candidate_repositories(targets: Sequence[str], required: RequiredLayer, mapping: TargetMapping) -> list[str]:
    """Repositories of the target that may have a layer, in the order in which they are asked: first ``targets``, those
    that the image is pushed to."""
    mapped = (mapping.locate(Reference.parse(name)).repository for name in required.repositories)
    return list(dict.fromkeys((*targets, *mapped)))


def has_blob(store: Store, descriptor: Descriptor) -> bool:
    """Whether a repository has a blob. One that this user cannot read has none."""
    try:
        return store.exists(descriptor)
    except (NotFound, Rejected, Unauthorized):
        return False


def _labels_by_blob(planned: Plan) -> dict[str, list[str]]:
    """The labels of the images that need each blob, by its digest."""
    labels_by_blob: dict[str, list[str]] = {}
    for image in planned.images:
        for blob in (blob for manifest in planned.closure(image) for blob in manifest.blobs):
            labels = labels_by_blob.setdefault(blob.digest, [])
            if image.root.label not in labels:
                labels.append(image.root.label)
    return labels_by_blob

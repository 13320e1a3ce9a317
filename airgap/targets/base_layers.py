# SPDX-License-Identifier: Apache-2.0
"""The import's side of a differential bundle: everything it requires is found at the target, or nothing is pushed.

``requires`` names repositories as ``registry/repository``. One that lies under the target (a receipt said so) is asked
as it stands; every other is a source repository, and is asked where the mapping of this import would put it. The
repositories that the image itself goes to are asked first. So a base that was imported with another mapping is not
found, and its receipt or an inventory of the target must be the base instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airgap.bundle import BundleReader, RequiredLayer
from airgap.bundle.omitted_layers import group_by_origin
from airgap.errors import ContentMissing, NotFound, Rejected, Unauthorized, raise_all
from airgap.formatting import counted, human
from airgap.oci import Descriptor, Reference
from airgap.oci.manifest import Manifest
from airgap.store.base import Opener, Reader, Store
from airgap.targets import Mapping as TargetMapping
from airgap.targets import Target
from airgap.transfer import Context, Plan, parallel_map
from airgap.transfer.plan import BlobJob


class Completed:
    """A differential bundle together with the layers that the target holds, as one source. A layer is read from
    there only if the registry would not mount it."""

    def __init__(self, bundle: BundleReader) -> None:
        self.bundle = bundle
        self.required = {required.digest: required for required in bundle.inventory.requires}
        self._found: dict[str, Store] = {}

    def resolve(self, name: str) -> Descriptor:
        return self.bundle.resolve(name)

    def manifest(self, name: str) -> Manifest:
        return self.bundle.manifest(name)

    def exists(self, descriptor: Descriptor) -> bool:
        required = self.required.get(descriptor.digest)
        return self.bundle.exists(descriptor) or (required is not None and required.size == descriptor.size)

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        store = self._found.get(descriptor.digest)
        return self.bundle.open(descriptor, offset) if store is None else store.open(descriptor, offset)

    def check_blob(self, descriptor: Descriptor, opener: Opener) -> None:
        """What the target holds is the registry's to answer for."""
        if self.bundle.exists(descriptor):
            self.bundle.check_blob(descriptor, opener)

    def prove(self, planned: Plan, mapping: TargetMapping, target: Target, context: Context) -> None:
        """Look for each required blob of ``planned`` and note where it may be mounted from. Raises
        :class:`ContentMissing` that names all that are missing, by the bundle that brings them."""
        wanted = [job for digest, job in planned.blobs.items() if digest in self.required]
        places = {job.descriptor.digest: _places(job, self.required[job.descriptor.digest], mapping) for job in wanted}
        stores = {name: target.open(name) for name in dict.fromkeys(n for names in places.values() for n in names)}

        def look(job: BlobJob) -> str:
            return next((name for name in places[job.descriptor.digest] if _has(stores[name], job.descriptor)), "")

        found = parallel_map(wanted, look, workers=context.jobs.control, cancel=context.cancel)
        missing = []
        for job, name in zip(wanted, found, strict=True):
            digest = job.descriptor.digest
            if isinstance(name, str) and name:
                job.mount_sources = [name]
                self._found[digest] = stores[name]
            else:
                missing.append(self.required[digest])
        self._refuse(missing, places, planned, mapping)

    def _refuse(
        self,
        missing: Iterable[RequiredLayer],
        places: Mapping[str, Iterable[str]],
        planned: Plan,
        mapping: TargetMapping,
    ) -> None:
        inventory = self.bundle.inventory
        users = _users(planned)
        errors = []
        for brought, group in group_by_origin(missing, inventory.bases):
            what = ", ".join(f"{one.digest} ({human(one.size)}, for {', '.join(users[one.digest])})" for one in group)
            asked = sorted({name for one in group for name in places[one.digest]})
            known = any(one.origin for one in group)
            first = "import that bundle first, to the same target with the same --mapping; or " if known else ""
            errors.append(
                ContentMissing(
                    f"the target lacks {counted(len(group), 'layer')} that {brought} "
                    f"{'brings' if known else 'brought there'}: {what}; asked in {', '.join(asked)}",
                    where=str(self.bundle),
                    hint=f"{first}export without --base, or with one that airgap inventory {mapping.address} "
                    "-o FILE has written; nothing was pushed",
                )
            )
        raise_all(errors)


def _places(job: BlobJob, required: RequiredLayer, mapping: TargetMapping) -> list[str]:
    located = (mapping.locate(Reference.parse(name)).repository for name in required.repositories)
    return list(dict.fromkeys((*job.targets, *located)))


def _has(store: Store, descriptor: Descriptor) -> bool:
    try:
        return store.exists(descriptor)
    except (NotFound, Rejected, Unauthorized):
        return False  # a repository that is not ours to read holds nothing for us


def _users(planned: Plan) -> dict[str, list[str]]:
    """The labels of the images that need each blob."""
    users: dict[str, list[str]] = {}
    for image in planned.images:
        for blob in (blob for manifest in planned.closure(image) for blob in manifest.blobs):
            labels = users.setdefault(blob.digest, [])
            if image.root.label not in labels:
                labels.append(image.root.label)
    return users

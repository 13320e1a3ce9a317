# SPDX-License-Identifier: Apache-2.0
"""What must move: manifests walked level by level, each digest once, before the first layer byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.errors import AirgapError, ContentError
from airgap.events import Sink, Warned, ignore
from airgap.oci import Descriptor, Platform
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.records import Record, field
from airgap.store.protocols import Source
from airgap.transfer.graph import Image, Root, Walk
from airgap.transfer.pool import Stop, each

__all__ = ["Image", "Job", "Plan", "Root", "plan"]


class Names(list[str]):
    """A list of names, each once. A layer that thousands of images share goes to thousands of repositories."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] | None = None

    def add(self, names: Sequence[str]) -> None:
        for name in names:
            if name in (self if self._seen is None else self._seen):
                continue
            self.append(name)
            if self._seen is not None:
                self._seen.add(name)
            elif len(self) > 16:
                self._seen = set(self)


class Job:
    """One blob: where it may be read and where it must be; ``donors`` are further repositories of the target that are
    known to have it. There is one for each of many thousand blobs: hence slots."""

    __slots__ = ("descriptor", "donors", "sources", "targets")

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self.sources = Names()
        self.targets = Names()
        self.donors: list[str] = []


class Plan(Record, frozen=False):
    """``manifests`` is by digest, in push order (children first); ``small`` holds blobs read while planning."""

    images: list[Image] = field(default_factory=list)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    places: dict[str, Names] = field(default_factory=dict)
    blobs: dict[str, Job] = field(default_factory=dict)
    small: dict[str, bytes] = field(default_factory=dict)
    failures: list[tuple[Root, AirgapError]] = field(default_factory=list)

    @property
    def blob_bytes(self) -> int:
        return sum(job.descriptor.size for job in self.blobs.values())

    def closure(self, image: Image) -> list[Manifest]:
        """The image's manifests, children first."""
        order: dict[str, Manifest] = {}

        def visit(manifest: Manifest) -> None:
            for child in manifest.children:
                if child.digest in self.manifests and child.digest not in order:
                    visit(self.manifests[child.digest])
            order[manifest.descriptor.digest] = manifest

        visit(image.manifest)
        return list(order.values())

    def only(self, images: Sequence[Image]) -> Plan:
        """The part of the plan that ``images`` need."""
        part = Plan(small=self.small)
        for image in images:
            part.images.append(image)
            _place(part, image, self)
        return part

    def shard(self, index: int, count: int) -> Plan:
        """The blobs alone whose digests fall into one of ``count`` shards, counted from 0."""
        mine = {digest: job for digest, job in self.blobs.items() if shard_of(digest, count) == index}
        return Plan(small=self.small, blobs=mine)


def shard_of(digest: str, count: int) -> int:
    """The shard of a digest: its first 32 bits modulo ``count``."""
    return int(digests.encoded(digest)[:8], 16) % count


def plan(
    roots: Sequence[Root],
    sources: Mapping[str, Source],
    *,
    platforms: Sequence[Platform] = (),
    referrers: bool = False,
    known_referrers: Mapping[str, Sequence[str]] | None = None,
    jobs: int = 4,
    emit: Sink = ignore,
    stop: Stop | None = None,
) -> Plan:
    """Find everything that ``roots`` need.

    Every root is tried; failures are listed in ``Plan.failures`` and it is the caller's to raise them or to go on
    without these images. ``known_referrers`` (by the digest that they speak of) are taken instead of asking for
    them. Raises :class:`Interrupted`.
    """
    stop = stop or Stop()
    walk = Walk(sources, platforms, jobs, stop, known_referrers)
    found = each(roots, walk.root, jobs=jobs, stop=stop, keep_going=True)
    result = Plan(small=walk.small)
    images: list[Image] = []
    for root, image in zip(roots, found, strict=True):
        if isinstance(image, AirgapError):
            result.failures.append((root, image))
        else:
            images.append(image)
    images = walk.descend(images, result.failures)
    if referrers:
        images += walk.descend(walk.referrers(images, emit), result.failures)
    everything = Plan(manifests=walk.manifests)
    for image in images:
        try:
            _place(result, image, everything)
        except ContentError as failure:
            result.failures.append((image.root, failure))
        else:
            result.images.append(image)
    _drop_absent_foreign(result, sources, emit)
    return result


def _place(plan: Plan, image: Image, everything: Plan) -> None:
    """Note every manifest and blob of ``image`` with its source and its repositories."""
    repositories = [destination.repository for destination in image.root.destinations]
    closure = everything.closure(image)
    sizes: dict[str, int] = {}
    for blob in (blob for manifest in closure for blob in manifest.blobs):
        job = plan.blobs.get(blob.digest)
        known = sizes.setdefault(blob.digest, job.descriptor.size if job else blob.size)
        if known != blob.size:
            raise ContentError(
                f"{blob.digest} has {blob.size} bytes in one manifest and {known} in another", where=image.root.label
            )
    for manifest in closure:
        digest = manifest.descriptor.digest
        plan.manifests.setdefault(digest, manifest)
        plan.places.setdefault(digest, Names()).add(repositories)
        for blob in manifest.blobs:
            if everything.blobs and blob.digest not in everything.blobs:
                continue  # a foreign layer that was left out
            job = plan.blobs.get(blob.digest)
            if job is None:
                job = plan.blobs[blob.digest] = Job(blob)
            job.sources.add((image.root.source,))
            job.targets.add(repositories)


def _drop_absent_foreign(plan: Plan, sources: Mapping[str, Source], emit: Sink) -> None:
    for digest, job in list(plan.blobs.items()):
        descriptor = job.descriptor
        if manifests.is_nondistributable(descriptor) and not sources[job.sources[0]].exists(descriptor):
            del plan.blobs[digest]
            emit(
                Warned(
                    f"{digest} is a layer that its publisher lets nobody pass on; it stays behind, and nodes "
                    f"will fetch it from {', '.join(descriptor.urls) or 'its own address'}"
                )
            )

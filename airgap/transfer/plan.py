# SPDX-License-Identifier: Apache-2.0
"""What must move: every manifest and blob of some images, each digest once, before the first layer byte is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.errors import AirgapError, ContentError
from airgap.events import Sink, Warned
from airgap.i18n import tr
from airgap.oci import Descriptor, Platform
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.records import Record, field
from airgap.store.protocols import Source
from airgap.transfer.budget import MemoryBudget
from airgap.transfer.context import Context
from airgap.transfer.graph import GraphReader, Image, Root
from airgap.transfer.pool import parallel_map


class NameList(list[str]):
    """Names in order, each once. A layer that thousands of images share goes to thousands of repositories."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        super().__init__()
        #: Only kept for long lists: most have one name, and there is a list for each blob.
        self._seen: set[str] | None = None

    def add(self, names: Sequence[str]) -> None:
        """Append those names that are not in the list yet."""
        for name in names:
            if name in (self if self._seen is None else self._seen):
                continue
            self.append(name)
            if self._seen is not None:
                self._seen.add(name)
            elif len(self) > 16:
                self._seen = set(self)


class BlobJob:
    """One blob to move: the ``sources`` that have it, in the order in which they are tried, and the ``targets`` that
    need it.

    ``mount_sources`` are further repositories of the target that are known to have it. The class has slots because a
    plan holds many thousands of them.
    """

    __slots__ = ("descriptor", "mount_sources", "sources", "targets")

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self.sources = NameList()
        self.targets = NameList()
        self.mount_sources: list[str] = []


class Plan(Record, frozen=False):
    """Everything that must be at the destinations of some images.

    ``manifests`` is by digest, children before their parents; ``repositories`` gives the target repositories of each
    of them. ``blobs`` is by digest. ``inline_blobs`` holds the content of blobs that planning had to read (configs).
    ``failures`` are the images that could not be planned, with the reason.
    """

    images: list[Image] = field(default_factory=list)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    repositories: dict[str, NameList] = field(default_factory=dict)
    blobs: dict[str, BlobJob] = field(default_factory=dict)
    inline_blobs: dict[str, bytes] = field(default_factory=dict)
    failures: list[tuple[Root, AirgapError]] = field(default_factory=list)

    @property
    def blob_bytes(self) -> int:
        """The size of all blobs together, each digest counted once."""
        return sum(job.descriptor.size for job in self.blobs.values())

    def image_names(self) -> dict[str, str]:
        """Map the digest of each blob to what messages call the first image that needs it."""
        names = dict.fromkeys(self.blobs, "")
        for image in self.images:
            for manifest in self.closure(image):
                for blob in manifest.blobs:
                    names[blob.digest] = names.get(blob.digest) or image.root.label
        return names

    def closure(self, image: Image) -> list[Manifest]:
        """The image's manifest and those below it, children first."""
        ordered: dict[str, Manifest] = {}

        def visit(manifest: Manifest) -> None:
            for child in manifest.children:
                if child.digest in self.manifests and child.digest not in ordered:
                    visit(self.manifests[child.digest])
            ordered[manifest.descriptor.digest] = manifest

        visit(image.manifest)
        return list(ordered.values())

    def absent_children(self, image: Image) -> list[Descriptor]:
        """The manifests that indexes of a sparse image list, and that do not move with it."""
        children = (child for manifest in self.closure(image) for child in manifest.children)
        return [child for child in children if child.digest not in self.manifests]

    def subset(self, images: Sequence[Image]) -> Plan:
        """The part of the plan that ``images`` need."""
        part = Plan(inline_blobs=self.inline_blobs)
        for image in images:
            part.images.append(image)
            add_image(part, image, self)
        return part


def plan(
    roots: Sequence[Root],
    sources: Mapping[str, Source],
    context: Context | None = None,
    *,
    platforms: Sequence[Platform] = (),
    referrers: bool = False,
    known_referrers: Mapping[str, Sequence[str]] | None = None,
    known_referrer_tags: Mapping[str, str] | None = None,
    workers: int = 0,
    sparse: bool = False,
) -> Plan:
    """Find everything that ``roots`` need.

    Every root is tried. Failures are in ``Plan.failures``; the caller raises them or continues without these images.
    With ``referrers``, signatures and the like come along; ``known_referrers``, by the digest of their subject, are
    used instead of asking the registry, with ``known_referrer_tags`` by their own digest. ``workers`` overrides the
    context's number of control requests. ``sparse`` keeps indexes as they are if only some of their ``platforms`` move.
    Raises :class:`airgap.errors.Interrupted`.
    """
    context = context or Context()
    workers = workers or context.jobs.control
    budget = MemoryBudget(len(roots))
    graph = GraphReader(sources, platforms, workers, context.cancel, known_referrers, budget=budget)
    graph.known_referrer_tags, graph.sparse = known_referrer_tags or {}, sparse
    resolved = parallel_map(roots, graph.resolve, workers=workers, cancel=context.cancel, keep_going=True)
    result = Plan(inline_blobs=graph.inline_blobs)
    images: list[Image] = []
    for root, image in zip(roots, resolved, strict=True):
        if isinstance(image, AirgapError):
            result.failures.append((root, image))
        else:
            images.append(image)
    images = graph.read_children(images, result.failures)
    if referrers:
        images += graph.read_children(graph.referrers(images, context.emit), result.failures)
    everything = Plan(manifests=graph.manifests)
    for image in images:
        try:
            add_image(result, image, everything)
        except ContentError as failure:
            result.failures.append((image.root, failure))
        else:
            result.images.append(image)
    _drop_absent_foreign_layers(result, sources, context.emit)
    return result


def add_image(plan: Plan, image: Image, everything: Plan) -> None:
    """Add every manifest and blob of ``image`` with its source and its repositories to ``plan``.

    ``everything`` has its manifests. Raises :class:`ContentError` if a digest has two sizes.
    """
    repositories = [destination.repository for destination in image.root.destinations]
    closure = everything.closure(image)
    sizes: dict[str, int] = {}
    for blob in (blob for manifest in closure for blob in manifest.blobs):
        job = plan.blobs.get(blob.digest)
        known_size = sizes.setdefault(blob.digest, job.descriptor.size if job else blob.size)
        if known_size != blob.size:
            raise ContentError(
                tr(
                    "{digest} has {size} bytes in one manifest and {known_size} in another",
                    digest=blob.digest,
                    size=blob.size,
                    known_size=known_size,
                ),
                where=image.root.label,
            )
    for manifest in closure:
        digest = manifest.descriptor.digest
        plan.manifests.setdefault(digest, manifest)
        plan.repositories.setdefault(digest, NameList()).add(repositories)
        for blob in manifest.blobs:
            if everything.blobs and blob.digest not in everything.blobs:
                continue  # a foreign layer that was left out
            job = plan.blobs.get(blob.digest)
            if job is None:
                job = plan.blobs[blob.digest] = BlobJob(blob)
            job.sources.add((image.root.source,))
            job.targets.add(repositories)


def _drop_absent_foreign_layers(plan: Plan, sources: Mapping[str, Source], emit: Sink) -> None:
    for digest, job in list(plan.blobs.items()):
        descriptor = job.descriptor
        if manifests.is_nondistributable(descriptor) and not sources[job.sources[0]].exists(descriptor):
            del plan.blobs[digest]
            emit(
                Warned(
                    tr(
                        "{digest} is a layer that its publisher lets nobody pass on; it stays behind, and nodes "
                        "will fetch it from {urls}",
                        digest=digest,
                        urls=", ".join(descriptor.urls) or tr("its own address"),
                    )
                )
            )

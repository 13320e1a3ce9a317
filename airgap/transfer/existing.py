# SPDX-License-Identifier: Apache-2.0
"""What the targets already hold, found out with few requests: from their tags, and one HEAD for each other manifest.

A registry accepts a manifest only after everything that it refers to. A repository that has a manifest therefore has
all of its blobs. Some registries accept indexes without their images: of those, each image of an index is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.errors import AirgapError
from airgap.oci.manifest import Manifest
from airgap.records import Record, field
from airgap.store.protocols import Source
from airgap.transfer.context import Context
from airgap.transfer.graph import Destination, Image
from airgap.transfer.plan import Plan
from airgap.transfer.pool import parallel_map

#: How many manifests are asked for at a target that has none of the tags, before the others count as missing.
_SAMPLES = 2


class ExistingContent(Record, frozen=False):
    """Digests of manifests and blobs by repository of the target.

    ``used_repositories`` have at least one of the tags or manifests that were asked for. ``holder_by_digest`` gives one
    repository for each digest, to mount it from. Filled before the copy; workers only read it.
    """

    digests: dict[str, set[str]] = field(default_factory=dict)
    used_repositories: set[str] = field(default_factory=set)
    holder_by_digest: dict[str, str] = field(default_factory=dict)

    def add(self, plan: Plan, image: Image, repository: str) -> None:
        """Note that ``repository`` has the image's manifest, and so everything below it."""
        for manifest in plan.closure(image):
            self.add_manifest(manifest, repository)

    def add_manifest(self, manifest: Manifest, repository: str) -> None:
        """Note that ``repository`` has a manifest and its blobs."""
        digests = self.digests.setdefault(repository, set())
        digests.add(manifest.descriptor.digest)
        for blob in manifest.blobs:
            digests.add(blob.digest)
            self.holder_by_digest.setdefault(blob.digest, repository)

    def has(self, repository: str, digest: str) -> bool:
        """Whether ``repository`` is known to hold ``digest``."""
        return digest in self.digests.get(repository, ())

    def has_image(self, image: Image) -> bool:
        """Whether every repository that the image goes to has its manifest."""
        return all(self.has(destination.repository, image.digest) for destination in image.root.destinations)


def find_existing_content(
    plan: Plan,
    missing: Sequence[Image],
    tags: Mapping[Destination, str],
    targets: Mapping[str, Source],
    context: Context | None = None,
    *,
    sparse: bool = False,
) -> ExistingContent:
    """What the targets hold of the images in ``missing``, whose tags are absent or point elsewhere.

    ``tags`` is the answer of :func:`airgap.transfer.resolve_tags`. A manifest of which they do not tell is asked for by
    one HEAD: a tag may be new although its image is not. ``sparse`` targets may have indexes without their images: each
    of these is asked for, and the index is pushed again.
    """
    context = context or Context()
    existing = ExistingContent(used_repositories={destination.repository for destination in tags})
    if not missing:
        return existing
    tagged: dict[str, set[str]] = {}
    for destination, digest in tags.items():
        tagged.setdefault(destination.repository, set()).add(digest)
    for image in plan.images:
        for repository in dict.fromkeys(destination.repository for destination in image.root.destinations):
            if image.digest in tagged.get(repository, ()) and not (sparse and image.manifest.children):
                existing.add(plan, image, repository)
    if sparse:
        find_existing_children(plan, missing, targets, existing, context)
        missing = [image for image in missing if not image.manifest.children]
    manifests = {
        (destination.repository, image.digest): image for image in missing for destination in image.root.destinations
    }
    unknown = [
        (repository, image) for (repository, digest), image in manifests.items() if not existing.has(repository, digest)
    ]
    # At a target that has none of the tags, a few questions show whether it has the images under other tags.
    samples = len(unknown) if tags else _SAMPLES
    answers = _ask(unknown[:samples], targets, context)
    if any(answer is True for answer in answers):
        answers += _ask(unknown[samples:], targets, context)
    for (repository, image), answer in zip(unknown, answers, strict=False):
        if answer is True:
            existing.add(plan, image, repository)
            existing.used_repositories.add(repository)
    return existing


def find_existing_children(
    plan: Plan, images: Sequence[Image], targets: Mapping[str, Source], existing: ExistingContent, context: Context
) -> None:
    """Ask for each image of indexes, by one HEAD, and add those that are there to ``existing``."""
    leaves = {
        (destination.repository, manifest.descriptor.digest): manifest
        for image in images
        if image.manifest.children
        for destination in image.root.destinations
        for manifest in plan.closure(image)
        if not manifest.children
    }
    answers = parallel_map(
        leaves.items(),
        lambda item: targets[item[0][0]].exists(item[1].descriptor),
        workers=context.jobs.control,
        cancel=context.cancel,
    )
    for ((repository, _), manifest), answer in zip(leaves.items(), answers, strict=True):
        if answer is True:
            existing.add_manifest(manifest, repository)
            existing.used_repositories.add(repository)


def _ask(
    items: Sequence[tuple[str, Image]], targets: Mapping[str, Source], context: Context
) -> list[bool | AirgapError]:
    """Whether each repository has the image's manifest."""
    return parallel_map(
        items,
        lambda item: targets[item[0]].exists(item[1].manifest.descriptor),
        workers=context.jobs.control,
        cancel=context.cancel,
    )

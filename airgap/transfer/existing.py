# SPDX-License-Identifier: Apache-2.0
"""What targets are known to hold, so that it is asked once: by tags that are there, by manifests that were found.

A registry takes a manifest only after all that it names, so whoever has one has its blobs, in that repository.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.records import Record, field
from airgap.store.protocols import Source
from airgap.transfer.graph import Destination, Image
from airgap.transfer.plan import Plan
from airgap.transfer.pool import Stop, each


class Holdings(Record, frozen=False):
    """``digests`` are manifests and blobs by repository; ``alive`` are the repositories that have any tag of ours.

    Only filled while planning; workers read it.
    """

    digests: dict[str, set[str]] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    #: A repository for each digest that any has: what can be mounted from there.
    holder: dict[str, str] = field(default_factory=dict)

    def note(self, plan: Plan, image: Image, repository: str) -> None:
        """``repository`` has the image's manifest, and so all below it."""
        held = self.digests.setdefault(repository, set())
        for manifest in plan.closure(image):
            held.add(manifest.descriptor.digest)
            for blob in manifest.blobs:
                held.add(blob.digest)
                self.holder.setdefault(blob.digest, repository)

    def has(self, repository: str, digest: str) -> bool:
        return digest in self.digests.get(repository, ())

    def whole(self, image: Image) -> bool:
        """Whether every repository that the image goes to has its manifest."""
        return all(self.has(destination.repository, image.digest) for destination in image.root.destinations)


def find(
    plan: Plan,
    todo: Sequence[Image],
    there: Mapping[Destination, str],
    targets: Mapping[str, Source],
    *,
    jobs: int = 4,
    stop: Stop | None = None,
) -> Holdings:
    """What a survey's answers (``there``: the digest behind each destination's tag) say of what ``todo`` needs, and
    what one HEAD for each manifest of ``todo`` that they do not tell of says: a tag may be new and its image not."""
    found = Holdings(alive={destination.repository for destination in there})
    if not todo:
        return found
    tagged: dict[str, set[str]] = {}
    for destination, digest in there.items():
        tagged.setdefault(destination.repository, set()).add(digest)
    for image in plan.images:
        for repository in dict.fromkeys(d.repository for d in image.root.destinations):
            if image.digest in tagged.get(repository, ()):
                found.note(plan, image, repository)
    wanted = {(d.repository, image.digest): image for image in todo for d in image.root.destinations}
    asked = [(name, image) for (name, digest), image in wanted.items() if not found.has(name, digest)]
    answers = each(
        asked,
        lambda item: targets[item[0]].exists(item[1].manifest.descriptor),
        jobs=jobs,
        stop=stop or Stop(),
    )
    for (repository, image), answer in zip(asked, answers, strict=True):
        if answer is True:
            found.note(plan, image, repository)
            found.alive.add(repository)
    return found

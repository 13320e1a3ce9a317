# SPDX-License-Identifier: Apache-2.0
"""Deletes images at a target, repository by repository, and reads back what is there afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.errors import AirgapError, Interrupted, NotFound, NotReady, Unauthorized, Unavailable
from airgap.flows.prune.plan import ImagePlan, Left, Removal, place_of
from airgap.flows.prune.reading import read_tags
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.targets import Remover, Target
from airgap.transfer import Context, parallel_map


class DeletedImages(Record, frozen=False):
    """The images that are gone, and what could not be deleted."""

    images: list[Removal] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def delete_images(plan: ImagePlan, target: Target, remover: Remover, context: Context, result: DeletedImages) -> None:
    """Delete what was planned, and add to ``result`` what is gone; one failure does not stop the others.

    A repository whose tags have changed since they were read is left as it is. Raises the error of a target that does
    not answer or does not let this user delete, and :class:`Interrupted` between two images.
    """
    by_repository: dict[str, list[Removal]] = {}
    for removal in plan.removals:
        by_repository.setdefault(removal.repository, []).append(removal)
    for repository, removals in by_repository.items():
        context.cancel.check()
        before = {tag: digest for (name, tag), digest in plan.staying.items() if name == repository}
        expected = {**before, **{removal.tag: removal.digest for removal in removals if removal.tag}}
        if read_tags(target, repository, context) != expected:
            what = tr("its repository has changed while the question was open; run the same command again")
            result.left += [Left(_name(target, one), what, failed=True) for one in removals if not one.companion]
            continue
        _delete_repository(plan.manifests.get(repository, ()), removals, target, remover, result, context)
        _read_back(repository, removals, before, target, result, context)


def _delete_repository(
    manifests: Sequence[str], removals: list[Removal], target: Target, remover: Remover, result: DeletedImages,
    context: Context,
) -> None:  # fmt: skip
    """Delete images first, then signatures, then what only these have led to."""
    done: set[str] = set()
    complete = True
    for removal in sorted(removals, key=lambda one: one.companion):
        context.cancel.check()
        try:
            if removal.only_tag or remover.cleans_up:
                remover.remove_tag(removal.repository, removal.name, removal.digest)
            elif removal.digest not in done:
                remover.remove_manifest(removal.repository, removal.digest)
                done.add(removal.digest)
        except AirgapError as error:
            _raise_if_final(error)
            result.left.append(Left.after(_name(target, removal), error))
            complete = False
            continue
        if not removal.companion:
            result.images.append(removal)
            context.note(tr("deleted {name}", name=_name(target, removal)))
    if remover.cleans_up or not complete:
        return  # what an image needs that is still there stays, until the next run has deleted it
    for digest in manifests:
        if digest not in done:
            _delete_manifest(removals[0].repository, digest, target, remover, result)


def _delete_manifest(repository: str, digest: str, target: Target, remover: Remover, result: DeletedImages) -> None:
    try:
        remover.remove_manifest(repository, digest)
    except AirgapError as error:
        _raise_if_final(error)
        result.left.append(Left.after(f"{target.mapping.address.registry}/{repository}@{digest}", error))


def _read_back(
    repository: str, removals: list[Removal], before: Mapping[str, str], target: Target, result: DeletedImages,
    context: Context,
) -> None:  # fmt: skip
    """Check that the tags are gone, and that all others are as they were."""
    now = read_tags(target, repository, context)
    failed = {left.name for left in result.left}
    for removal in removals:
        if removal.tag in now and _name(target, removal) not in failed:
            result.left.append(Left(_name(target, removal), tr("it was deleted, and is still there"), failed=True))
            result.images = [one for one in result.images if one != removal]
    for tag, digest in before.items():
        if now.get(tag) != digest:
            what = tr("it was to stay with {digest}, and is not there any more", digest=digest)
            registry = target.mapping.address.registry
            result.left.append(Left(f"{registry}/{place_of(repository, tag)}", what, failed=True))


def check_gone(plan: ImagePlan, target: Target, context: Context) -> list[Left]:
    """Return the manifests that were deleted and that the target still gives out by their digests."""
    registry = target.mapping.address.registry
    places = [(name, digest) for name, digests in plan.manifests.items() for digest in digests]

    def is_there(place: tuple[str, str]) -> bool:
        try:
            target.open(place[0]).resolve(place[1])
        except NotFound:
            return False
        return True

    found = parallel_map(places, is_there, workers=context.jobs.control, cancel=context.cancel)
    what = tr("it was deleted, and is still there")
    return [
        Left(f"{registry}/{name}@{digest}", what, failed=True)
        for (name, digest), there in zip(places, found, strict=True)
        if there is True
    ]


def _name(target: Target, removal: Removal) -> str:
    return f"{target.mapping.address.registry}/{removal.place}"


def _raise_if_final(error: AirgapError) -> None:
    """Raise errors that every further deletion would have as well."""
    no_answer = isinstance(error, Unavailable) and not error.status
    if no_answer or isinstance(error, (Interrupted, NotReady, Unauthorized)):
        raise error

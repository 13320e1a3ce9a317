# SPDX-License-Identifier: Apache-2.0
"""Copy tags in batches, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airgap.errors import AirgapError, raise_all
from airgap.events import BlobDone, Event, ImageFailed, Noted, Sink
from airgap.flows.migrate.migration import Failure, Migration
from airgap.flows.migrate.registry_view import Tag
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.records import Record, as_dict, field, replace
from airgap.transfer import (
    CopyOptions,
    Destination,
    ExistingContent,
    Plan,
    Report,
    Root,
    copy,
    find_existing_content,
    plan,
    verify_tags,
)

#: How many tags a batch has: their manifests are in memory at the same time.
BATCH_SIZE = 100


class BatchCopyResult(Record, frozen=False):
    """The tags that were copied and read back, those that failed, and the numbers of all batches together."""

    tags: list[Tag] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    report: Report = field(default_factory=Report)


def copy_in_batches(
    migration: Migration, tags: Sequence[Tag], referrers: Mapping[str, Sequence[str]]
) -> BatchCopyResult:
    """Copy ``tags`` with their ``referrers`` (digests by the digest of their subject) to the target.

    Without ``--keep-going`` the first failure is raised.
    """
    result = BatchCopyResult()
    for start in range(0, len(tags), BATCH_SIZE):
        if len(tags) > BATCH_SIZE:
            migration.context.emit(
                Noted(tr("{start} of {tag_count} done", start=start, tag_count=counted(len(tags), "tag")))
            )
        _copy_batch(migration, tags[start : start + BATCH_SIZE], referrers, result)
        migration.journal.sync()
    return result


def _copy_batch(
    migration: Migration, tags: Sequence[Tag], referrers: Mapping[str, Sequence[str]], result: BatchCopyResult
) -> None:
    source, target, keep_going = migration.source, migration.target, migration.request.keep_going
    tags_by_root = dict(_roots(migration, tags))
    sources = {source.full_name(tag.repository): source.repository(tag.repository) for tag in tags}
    targets = {target.full_name(tag.repository): target.repository(tag.repository) for tag in tags}
    batch_plan = plan(list(tags_by_root), sources, migration.context, referrers=True, known_referrers=referrers)
    if not keep_going:
        raise_all([error for _, error in batch_plan.failures])
    for root, error in batch_plan.failures:
        migration.context.emit(ImageFailed(root.label, str(error)))
    for manifest in batch_plan.manifests.values():
        if manifest.is_index:
            migration.journal.add_index(manifest.descriptor.digest, [child.digest for child in manifest.children])
    target_digests = {
        Destination(target.full_name(tag.repository), tag.name): tag.target_digest for tag in tags if tag.target_digest
    }
    existing = find_existing_content(batch_plan, batch_plan.images, target_digests, targets, migration.context)
    _add_recorded_blobs(migration, batch_plan, existing)
    context = replace(migration.context, emit=_recording_sink(migration, batch_plan))
    options = CopyOptions(keep_going=keep_going, existing=existing)
    report = copy(batch_plan, sources, targets, context, options)
    _add_numbers(result.report, report)
    failures: dict[Root, AirgapError] = dict((*batch_plan.failures, *report.failures))
    verify_tags([image for image in batch_plan.images if image.root not in failures], targets, migration.context)
    # A referrer has the label of its image: an image without one of its referrers has failed.
    failed_labels = {root.label: error for root, error in failures.items()}
    for root, root_tags in tags_by_root.items():
        if root.label in failed_labels:
            result.failures += [(source.tag_label(tag), failed_labels[root.label]) for tag in root_tags]
            continue
        for tag in root_tags:
            result.tags.append(tag)
            migration.journal.add_tag(str(tag), tag.digest)


def _roots(migration: Migration, tags: Sequence[Tag]) -> Iterator[tuple[Root, list[Tag]]]:
    """One root for each image of each repository, with its tags. Its name is the digest that was compared."""
    source, target = migration.source, migration.target
    tags_by_image: dict[tuple[str, str], list[Tag]] = {}
    for tag in tags:
        tags_by_image.setdefault((tag.repository, tag.digest), []).append(tag)
    for (repository, digest), image_tags in tags_by_image.items():
        # A tag that the target already has is copied for its referrers: it is not pushed again.
        names = dict.fromkeys("" if tag.target_digest == digest else tag.name for tag in image_tags)
        destinations = tuple(Destination(target.full_name(repository), name) for name in names)
        yield Root(source.tag_label(image_tags[0]), source.full_name(repository), digest, destinations), image_tags


def _add_recorded_blobs(migration: Migration, batch_plan: Plan, existing: ExistingContent) -> None:
    """Add the blobs that an earlier run pushed, by the journal."""
    for digest in batch_plan.blobs:
        if repository := migration.journal.state.blobs.get(digest):
            existing.holder_by_digest.setdefault(digest, repository)
            existing.digests.setdefault(repository, set()).add(digest)


def _recording_sink(migration: Migration, batch_plan: Plan) -> Sink:
    """A sink that writes every blob which arrived to the journal before it passes the event on."""

    def emit(event: Event) -> None:
        if isinstance(event, BlobDone) and event.how != "failed" and event.digest in batch_plan.blobs:
            migration.journal.add_blob(event.digest, batch_plan.blobs[event.digest].targets[0])
        migration.context.emit(event)

    return emit


def _add_numbers(total: Report, report: Report) -> None:
    for name, value in as_dict(report).items():
        if isinstance(value, int | float):
            setattr(total, name, getattr(total, name) + value)

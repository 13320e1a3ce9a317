# SPDX-License-Identifier: Apache-2.0
"""Copy what the target lacks, some hundred tags at a time, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airgap.errors import AirgapError, raise_all
from airgap.events import BlobDone, Event, ImageFailed, Noted, Sink
from airgap.flows.migrate.compare import Failure
from airgap.flows.migrate.journal import MigrationJournal
from airgap.flows.migrate.registry_view import Side, Tag
from airgap.formatting import counted
from airgap.records import Record, as_dict, field, replace
from airgap.transfer import (
    Context,
    CopyOptions,
    Destination,
    Image,
    Plan,
    Report,
    Root,
    copy,
    find_existing_blobs,
    plan,
    verify_tags,
)

#: Tags whose manifests are in memory at once.
BATCH = 100


class Moved(Record, frozen=False):
    """What arrived and was read back; ``report`` counts over all batches."""

    tags: list[Tag] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    report: Report = field(default_factory=Report)


class Mover(Record, frozen=False):
    """``referrers`` are those that the source indexes, by the digest that they speak of."""

    source: Side
    target: Side
    journal: MigrationJournal
    referrers: Mapping[str, Sequence[str]]
    keep_going: bool
    context: Context

    def run(self, tags: Sequence[Tag]) -> Moved:
        moved, done = Moved(), 0
        for batch in _batches(tags):
            done += len(batch)
            if len(tags) > BATCH:
                self.context.emit(Noted(f"{done - len(batch)} of {counted(len(tags), 'tag')} done"))
            self._batch(batch, moved)
            self.journal.sync()
        return moved

    def _batch(self, tags: Sequence[Tag], moved: Moved) -> None:
        by_root = dict(self._roots(tags))
        sources = {self.source.whole(tag.repository): self.source.repository(tag.repository) for tag in tags}
        targets = {self.target.whole(tag.repository): self.target.repository(tag.repository) for tag in tags}
        planned = plan(list(by_root), sources, self.context, referrers=True, known_referrers=self.referrers)
        if not self.keep_going:
            raise_all([error for _, error in planned.failures])
        for root, error in planned.failures:
            self.context.emit(ImageFailed(root.label, str(error)))
        for manifest in planned.manifests.values():
            if manifest.is_index:
                self.journal.index(manifest.descriptor.digest, [child.digest for child in manifest.children])
        there = {Destination(self.target.whole(tag.repository), tag.name): tag.there for tag in tags if tag.there}
        known = find_existing_blobs(planned, planned.images, there, targets, self.context)
        for digest in planned.blobs:
            if repository := self.journal.known.blobs.get(digest):
                known.holder.setdefault(digest, repository)
                known.digests.setdefault(repository, set()).add(digest)
        context = replace(self.context, emit=self._noting(planned))
        report = copy(planned, sources, targets, context, CopyOptions(keep_going=self.keep_going, existing=known))
        _add(moved.report, report)
        lost: dict[Root, AirgapError] = dict((*planned.failures, *report.failures))
        whole = [image for image in planned.images if image.root not in lost]
        verify_tags(whole, targets, self.context)
        self._settle(by_root, whole, lost, moved)

    def _settle(
        self, by_root: Mapping[Root, list[Tag]], whole: Sequence[Image], lost: Mapping[Root, AirgapError], moved: Moved
    ) -> None:
        labels = {root.label: error for root, error in lost.items()}
        for root, held in by_root.items():
            # A signature goes by its image's label: an image without it is not whole.
            error = labels.get(root.label)
            for tag in held:
                if error is None:
                    moved.tags.append(tag)
                    self.journal.tag(str(tag), tag.digest)
                else:
                    moved.failures.append((self.source.label(tag.repository, tag.name), error))

    def _roots(self, tags: Sequence[Tag]) -> Iterator[tuple[Root, list[Tag]]]:
        """One root for each image of each repository, with all its tags: by digest, since that is what was judged."""
        held: dict[tuple[str, str], list[Tag]] = {}
        for tag in tags:
            held.setdefault((tag.repository, tag.digest), []).append(tag)
        for (repository, digest), same in held.items():
            # One that is there already is here for its signatures' sake, and its tag is not pushed again.
            names = ["" if tag.there == digest else tag.name for tag in same]
            goals = tuple(Destination(self.target.whole(repository), name) for name in dict.fromkeys(names))
            label = self.source.label(repository, same[0].name)
            yield Root(label, self.source.whole(repository), digest, goals), same

    def _noting(self, planned: Plan) -> Sink:
        def emit(event: Event) -> None:
            if isinstance(event, BlobDone) and event.how != "failed" and event.digest in planned.blobs:
                self.journal.blob(event.digest, planned.blobs[event.digest].targets[0])
            self.context.emit(event)

        return emit


def _batches(tags: Sequence[Tag]) -> Iterator[Sequence[Tag]]:
    for begin in range(0, len(tags), BATCH):
        yield tags[begin : begin + BATCH]


def _add(total: Report, more: Report) -> None:
    for name, value in as_dict(more).items():
        if isinstance(value, int | float):
            setattr(total, name, getattr(total, name) + value)

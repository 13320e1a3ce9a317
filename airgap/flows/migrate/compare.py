# SPDX-License-Identifier: Apache-2.0
"""What the target lacks: one HEAD a tag on each side, and what differs judged by what an earlier run put there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airgap.errors import AirgapError, NotFound, RegistryError, TargetError, Unavailable
from airgap.events import Noted, Warned
from airgap.flows.migrate.image_dates import date
from airgap.flows.migrate.journal import MigrationJournal
from airgap.flows.migrate.listing import Listing
from airgap.flows.migrate.registry_view import Side, Tag
from airgap.flows.migrate.tag_filter import Choice, lists_referrers
from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_MANIFEST
from airgap.records import Record, field
from airgap.transfer import Context, parallel_map

Failure = tuple[str, AirgapError]


class Compared(Record, frozen=False):
    """Tags of the source by what must be done: ``todo`` is absent at the target, ``moved`` there with an older digest
    that is replaced. ``left_out`` are not wanted. ``target_only`` are the target's tags by repository."""

    present: list[Tag] = field(default_factory=list)
    todo: list[Tag] = field(default_factory=list)
    moved: list[Tag] = field(default_factory=list)
    left_out: list[Tag] = field(default_factory=list)
    target_only: dict[str, list[str]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    #: Referrers that the source indexes, by the digest that they speak of.
    referrers: dict[str, list[str]] = field(default_factory=dict)


class Comparison(Record, frozen=False):
    """The two sides, and what may be replaced: ``delta`` moves what an earlier run put there, ``overwrite`` all."""

    source: Side
    target: Side
    journal: MigrationJournal
    choice: Choice
    delta: bool
    overwrite: bool
    context: Context

    def run(self, listing: Listing) -> Compared:
        result = Compared()
        held = self._held(listing)
        known = [tag for tags in listing.tags.values() for tag in tags.values()]
        known = self._resolved(known, result)
        wanted = self._wanted(known, result)
        for name, tags in held.items():
            if only := sorted(tags - listing.tags.get(name, {}).keys()):
                result.target_only[name] = [tag for tag in only if not self._of_referrers(tag)]
        asked = [tag for tag in wanted if tag.name in held.get(tag.repository, ()) and not self._unchanged(tag)]
        lost = self._each(asked, self._look_there, self.target, result)
        for tag in wanted:
            if id(tag) in lost:
                continue
            if tag.name in held.get(tag.repository, ()) and self._unchanged(tag):
                tag.there = tag.digest
            self._judge(tag, result)
        self._signatures(result)
        return result

    def _each(self, tags: Sequence[Tag], work: Callable[[Tag], None], side: Side, result: Compared) -> set[int]:
        """Ask for every tag; the ids of those that failed, which are noted as failures."""
        answers = parallel_map(
            tags, work, workers=self.context.jobs.control, cancel=self.context.cancel, keep_going=True
        )
        lost = set[int]()
        for tag, answer in zip(tags, answers, strict=True):
            if isinstance(answer, AirgapError):
                result.failures.append((side.label(tag.repository, tag.name), answer))
                lost.add(id(tag))
        return lost

    def _held(self, listing: Listing) -> dict[str, set[str]]:
        """The target's tags by repository, of the source's repositories and of all others that are wanted."""
        names = dict.fromkeys(listing.tags)
        try:
            names.update(dict.fromkeys(name for name in self.target.catalog() if self.choice.takes_repository(name)))
        except Unavailable:
            raise
        except RegistryError as error:
            self.context.emit(
                Noted(f"{self.target.address}: {error.what}; repositories that it alone has stay unknown")
            )

        def ask(name: str) -> set[str]:
            try:
                return {tag for tag in self.target.repository(name).tags() if self.choice.takes(name, tag)}
            except NotFound:
                return set()

        answers = parallel_map(names, ask, workers=self.context.jobs.control, cancel=self.context.cancel)
        return {name: found for name, found in zip(names, answers, strict=True) if isinstance(found, set)}

    def _resolved(self, tags: list[Tag], result: Compared) -> list[Tag]:
        """Tags that exist, with their digests. What components said is believed by ``--delta`` alone."""

        def ask(tag: Tag) -> None:
            found = self.source.digest(tag.repository, tag.name)
            if not found:
                raise NotFound(
                    "the source lists this tag and has no manifest for it",
                    where=self.source.label(tag.repository, tag.name),
                    hint="leave it out by --exclude, or go on without it by --keep-going",
                )
            if tag.digest not in ("", found):
                tag.date = None  # it was that of another image
            tag.digest = found

        lost = self._each([tag for tag in tags if not (self.delta and tag.digest)], ask, self.source, result)
        return [tag for tag in tags if id(tag) not in lost]

    def _wanted(self, tags: list[Tag], result: Compared) -> list[Tag]:
        if self.choice.needs_dates:
            failed = date(self.source, tags, self.journal, self.context)
            result.failures += [(self.source.label(tag.repository, tag.name), error) for tag, error in failed]
            lost = {id(tag) for tag, _ in failed}
            tags = [tag for tag in tags if id(tag) not in lost]
            by = sorted({tag.dated_by for tag in tags} - {""})
            self.context.emit(Noted(f"dates are {' and '.join(_WORDS[one] for one in by) or 'told by nothing'}"))
        by_repository: dict[str, list[Tag]] = {}
        for tag in tags:
            by_repository.setdefault(tag.repository, []).append(tag)
        wanted, undated = [], []
        for held in by_repository.values():
            kept, unknown = self.choice.narrow(held)
            wanted += sorted(kept, key=lambda tag: tag.name)
            undated += unknown
            keep = {id(tag) for tag in kept}
            result.left_out += [tag for tag in held if id(tag) not in keep]
        if undated:
            more = f" and {len(undated) - 3} more" if len(undated) > 3 else ""
            names = ", ".join(map(str, undated[:3]))
            self.context.emit(Warned(f"{names}{more}: nothing tells a date, so they are taken"))
        return wanted

    def _unchanged(self, tag: Tag) -> bool:
        return self.delta and self.journal.known.tags.get(str(tag)) == tag.digest

    def _of_referrers(self, tag: str) -> bool:
        """Whether the target lists there what the source indexes."""
        return self.source.indexes_referrers is True and lists_referrers(tag)

    def _look_there(self, tag: Tag) -> None:
        tag.there = self.target.digest(tag.repository, tag.name)

    def _judge(self, tag: Tag, result: Compared) -> None:
        label = self.target.label(tag.repository, tag.name)
        recorded = self.journal.known.tags.get(str(tag))
        if tag.there == tag.digest:
            result.present.append(tag)
        elif not tag.there or (lists_referrers(tag.name) and self._grows(tag)):
            result.todo.append(tag)
        elif self.overwrite or (self.delta and recorded == tag.there):
            result.moved.append(tag)
            why = "has moved at the source" if recorded == tag.there else "is another one at the target"
            self.context.emit(Noted(f"{label}: the tag {why}; it is moved from {tag.there[:19]} to {tag.digest[:19]}"))
        else:
            ours = recorded == tag.there
            what = "an earlier run put it there, and it has moved since" if ours else "no earlier run put it there"
            result.failures.append((label, TargetError(
                f"the tag is already there with {tag.there}, the source has {tag.digest}; {what}",
                where=label,
                hint="--delta moves the tags that this migration put there" if ours else "--overwrite moves it",
            )))  # fmt: skip

    def _grows(self, tag: Tag) -> bool:
        """Whether a list of referrers at the target is a part of the source's: a run that was stopped left it so."""
        there = self.target.repository(tag.repository).manifest(tag.there)
        here = self.source.repository(tag.repository).manifest(tag.digest)
        return {child.digest for child in there.children} <= {child.digest for child in here.children}

    def _signatures(self, result: Compared) -> None:
        """Ask for what the source indexes as referring to wanted images; an image whose referrers the target lacks is
        to be done again, for their sake alone."""
        tags = [*result.present, *result.todo, *result.moved]
        if not tags:
            return

        def lacking(tag: Tag) -> bool:
            found, level = result.referrers, [tag.digest]
            for _ in range(3):
                for digest in [digest for digest in level if digest not in found]:
                    found[digest] = self.source.referrers(tag.repository, digest)
                level = [child for digest in level for child in found[digest]]
            spoken = [child for digest in [tag.digest, *found[tag.digest]] for child in found.get(digest, ())]
            there = self.target.repository(tag.repository)
            return tag.there == tag.digest and not all(there.exists(Descriptor(OCI_MANIFEST, one, 0)) for one in spoken)

        first, *rest = tags
        answers: list[object] = [lacking(first)]
        if self.source.indexes_referrers:
            answers += parallel_map(rest, lacking, workers=self.context.jobs.control, cancel=self.context.cancel)
        again = {id(tag) for tag, answer in zip(tags, answers, strict=False) if answer is True}
        result.todo += [tag for tag in result.present if id(tag) in again]
        result.present = [tag for tag in result.present if id(tag) not in again]


_WORDS = {"lastModified": "Nexus's lastModified", "created": "those in the images' configs"}

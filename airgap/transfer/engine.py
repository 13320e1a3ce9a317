# SPDX-License-Identifier: Apache-2.0
"""Move what was planned: blobs in parallel, the largest first; manifests children first; tags last.

A digest is moved once whoever asks for it: pushed to the first repository that needs it, mounted from
there into the others. A root with a tag is pushed once, by its tag, so that a tag is never seen whose
content is not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

from airgap.errors import AirgapError, ContentError, ContentMissing, DigestMismatch, Interrupted, RegistryError
from airgap.events import BlobDone, BlobStarted, ImageFailed, ManifestDone, Planned, Retrying, Sink, ignore
from airgap.oci import Descriptor
from airgap.oci.manifest import Manifest, successors
from airgap.records import Record, field
from airgap.store.protocols import Opener, Reader, Source, Store, SupportsBlobCheck, SupportsMount
from airgap.store.readers import bytes_opener
from airgap.transfer.existing import Holdings
from airgap.transfer.graph import Destination, Root
from airgap.transfer.plan import Job, Plan
from airgap.transfer.pool import A, B, Stop, each
from airgap.transfer.progress import Meter

_CHANGED = "what carries the bytes may have changed them: run the same command again"
_TWICE = (
    "it was so twice: something on the way changes bytes, or the registry's own content is damaged; go over https://, "
    "by another line or from another machine"
)
_LACKS_PARTS = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN")


@runtime_checkable
class ManifestTaker(Protocol):
    """A store that takes a manifest and its name in one request."""

    def push_manifest(self, descriptor: Descriptor, content: bytes, name: str, /) -> None: ...


class Report(Record, frozen=False):
    """What a copy did: blobs ``moved`` and ``skipped`` with their bytes, and in how many repositories one was
    ``mounted``. Of those moved, ``resumed`` went on where an earlier run had stopped; ``resumed_bytes`` were there
    already, and are not among ``moved_bytes``. It took ``seconds``."""

    moved: int = 0
    moved_bytes: int = 0
    resumed: int = 0
    resumed_bytes: int = 0
    mounted: int = 0
    mounted_bytes: int = 0
    skipped: int = 0
    skipped_bytes: int = 0
    manifests: int = 0
    seconds: float = 0.0
    failures: list[tuple[Root, AirgapError]] = field(default_factory=list)


def copy(
    plan: Plan,
    sources: Mapping[str, Source],
    targets: Mapping[str, Store],
    *,
    jobs: int = 4,
    keep_going: bool = False,
    how: str = "pushed",
    order: Sequence[Descriptor] | None = None,
    known: Holdings | None = None,
    emit: Sink = ignore,
    stop: Stop | None = None,
) -> Report:
    """Make every destination of ``plan`` hold its images. ``how`` is the word for a blob that moved; what is
    ``known`` to be there is not asked for. Blobs go one after another in ``order`` where that is given, else several
    at a time, the largest first.

    Without ``keep_going`` the first failure stops the others and is raised; with it, images that could not
    be moved whole are listed in the report and have no tag.
    """
    emit(Planned(len(plan.images), len(plan.manifests), len(plan.blobs), plan.blob_bytes))
    return _Copy(plan, sources, targets, jobs, keep_going, how, order, known, emit, stop or Stop()).run()


class _Copy(Record, frozen=False):
    plan: Plan
    sources: Mapping[str, Source]
    targets: Mapping[str, Store]
    jobs: int
    keep_going: bool
    how: str
    order: Sequence[Descriptor] | None
    known: Holdings | None
    emit: Sink
    stop: Stop
    report: Report = field(default_factory=Report)
    lost: dict[str, AirgapError] = field(default_factory=dict)

    def run(self) -> Report:
        began = time.monotonic()
        jobs = self._in_turn()
        for job, result in zip(jobs, self._each(jobs, self._blob, 1 if self.order else self.jobs), strict=True):
            if isinstance(result, AirgapError):
                self.lost[job.descriptor.digest] = result
            else:
                self._count(job, result)
        tags = self._tags()
        for level in self._levels():
            results = self._each(level, lambda manifest: self._manifest(manifest, tags))
            for manifest, failure in zip(level, results, strict=True):
                if isinstance(failure, AirgapError):
                    self.lost[manifest.descriptor.digest] = failure
                else:
                    self.report.manifests += 1
        for image in self.plan.images:
            if image.digest in self.lost:
                self.report.failures.append((image.root, self.lost[image.digest]))
                self.emit(ImageFailed(image.root.label, str(self.lost[image.digest])))
        self.report.seconds = time.monotonic() - began
        return self.report

    def _in_turn(self) -> list[Job]:
        largest_first = sorted(self.plan.blobs.values(), key=lambda job: -job.descriptor.size)
        if self.order is None:
            return largest_first
        turns = {one.digest: number for number, one in enumerate(self.order)}
        # What the order does not know comes from somewhere else, and last.
        return sorted(largest_first, key=lambda job: turns.get(job.descriptor.digest, len(turns)))

    def _each(self, items: Sequence[A], work: Callable[[A], B], jobs: int = 0) -> list[B | AirgapError]:
        return each(items, work, jobs=jobs or self.jobs, stop=self.stop, keep_going=self.keep_going)

    def _count(self, job: Job, done: _Done) -> None:
        pushes, mounts, there = done
        self.report.mounted += mounts
        self.report.mounted_bytes += mounts * job.descriptor.size
        if pushes:
            self.report.moved += 1
            self.report.moved_bytes += pushes * job.descriptor.size - there
            self.report.resumed += bool(there)
            self.report.resumed_bytes += there
        elif not mounts:
            self.report.skipped += 1
            self.report.skipped_bytes += job.descriptor.size

    def _blob(self, job: Job) -> _Done:
        """Put one blob into every repository that lacks it."""
        descriptor = job.descriptor
        self.emit(BlobStarted(descriptor.digest, descriptor.size))
        try:
            done = self._spread(job)
        except AirgapError as error:
            if not isinstance(error, Interrupted):
                self.emit(BlobDone(descriptor.digest, 0, "failed"))
            raise
        how = self.how if done.pushes else "mounted" if done.mounts else "skipped"
        self.emit(BlobDone(descriptor.digest, descriptor.size, "resumed" if done.there else how))
        return done

    def _spread(self, job: Job) -> _Done:
        descriptor, pushes, mounts, there = job.descriptor, 0, 0, 0
        have, lacking = self._find(job)
        for name, asked in lacking.items():
            donors = have or job.donors
            if donors and self._mount(descriptor, name, donors[-1]):
                mounts += 1
            elif asked or not self.targets[name].exists(descriptor):
                there += self._push(job, name)
                pushes += 1
            have.append(name)
        return _Done(pushes, mounts, there)

    def _find(self, job: Job) -> tuple[list[str], dict[str, bool]]:
        """Repositories that have the blob, and the others with whether they were asked.

        Where one has it, mounting from there answers for the others. A repository in which nothing of ours was seen
        is asked only if it is the first: an earlier run that was stopped began there too.
        """
        have, lacking = [], dict.fromkeys(job.targets, False)
        if self.known is not None:
            have = [name for name in job.targets if self.known.has(name, job.descriptor.digest)]
            for name in have:
                del lacking[name]
            if not have and job.descriptor.digest in self.known.holder:
                have = [self.known.holder[job.descriptor.digest]]
        if have:
            return have, lacking
        alive = lacking if self.known is None else self.known.alive
        for name in sorted(lacking, key=lambda name: name not in alive):
            if self.targets[name].exists(job.descriptor):
                del lacking[name]
                return [name], lacking
            lacking[name] = True
            if name not in alive:
                break
        return have, lacking

    def _mount(self, descriptor: Descriptor, name: str, other: str) -> bool:
        target = self.targets[name]
        return isinstance(target, SupportsMount) and target.mount(descriptor, other)

    def _push(self, job: Job, name: str) -> int:
        """Push one blob; how many bytes of it were there already."""
        descriptor = job.descriptor
        content = self.plan.small.get(descriptor.digest)
        opener = bytes_opener(content) if content is not None else self._opener(job)
        meter = Meter(descriptor, opener, self.emit, self.stop)
        try:
            self._try_twice(job, lambda: self.targets[name].push(descriptor, meter.open))
        except ContentError as error:
            error.where = error.where or str(self.sources[job.sources[-1]])
            error.hint = error.hint or (_TWICE if isinstance(error, DigestMismatch) else _CHANGED)
            raise
        return meter.there

    def _try_twice(self, job: Job, push: Callable[[], None]) -> None:
        """A byte that changed on the way may be right the next time: what came out as something else is sent once
        more from its start, unless it is the source that is damaged."""
        try:
            push()
        except DigestMismatch as error:
            self._check_source(job)
            self.emit(Retrying(job.descriptor.digest, error.what, 1, 0.0))
            push()

    def _check_source(self, job: Job) -> None:
        """Raise what is wrong with the bytes that were to be sent, where they lie here."""
        descriptor = job.descriptor
        for source in (self.sources[name] for name in job.sources):
            if isinstance(source, SupportsBlobCheck) and source.exists(descriptor):
                try:
                    meter = Meter(descriptor, partial(source.open, descriptor), ignore, self.stop)
                    source.check_blob(descriptor, meter.open)
                except ContentError as damage:
                    damage.what = f"{descriptor.digest} is damaged where it lies: {damage.what}"
                    raise

    def _opener(self, job: Job) -> Opener:
        def open_(offset: int) -> Reader:
            for source in job.sources[:-1]:
                try:
                    return self.sources[source].open(job.descriptor, offset)
                except ContentMissing:
                    continue
            return self.sources[job.sources[-1]].open(job.descriptor, offset)

        return open_

    def _tags(self) -> dict[str, list[Destination]]:
        tags: dict[str, list[Destination]] = {}
        for image in self.plan.images:
            tags.setdefault(image.digest, []).extend(d for d in image.root.destinations if d.tag)
        return tags

    def _levels(self) -> list[list[Manifest]]:
        """Manifests by their height above the leaves; what refers to a subject comes after it."""
        heights: dict[str, int] = {}

        def height(digest: str) -> int:
            if digest not in heights:
                heights[digest] = 0
                manifest = self.plan.manifests[digest]
                below = [child.digest for child in manifest.children if child.digest in self.plan.manifests]
                if manifest.subject is not None and manifest.subject.digest in self.plan.manifests:
                    below.append(manifest.subject.digest)
                heights[digest] = 1 + max(map(height, below), default=-1)
            return heights[digest]

        levels: dict[int, list[Manifest]] = {}
        for digest, manifest in self.plan.manifests.items():
            levels.setdefault(height(digest), []).append(manifest)
        return [levels[key] for key in sorted(levels)]

    def _manifest(self, manifest: Manifest, tags: Mapping[str, list[Destination]]) -> None:
        descriptor = manifest.descriptor
        for needed in successors(manifest):
            if needed.digest in self.lost:
                raise self.lost[needed.digest]
        named = list(dict.fromkeys(tags.get(descriptor.digest, ())))
        repositories = {destination.repository for destination in named}
        nameless = [Destination(name) for name in self.plan.places[descriptor.digest] if name not in repositories]
        for destination in (*nameless, *named):
            known = self.known is not None and self.known.has(destination.repository, descriptor.digest)
            if known and not destination.tag:
                self.emit(ManifestDone(descriptor.digest, descriptor.digest, "skipped"))
                continue
            try:
                self._put(manifest, destination)
            except RegistryError as error:
                if error.code not in _LACKS_PARTS:
                    raise
                self._heal(manifest, destination.repository)
                self._put(manifest, destination)
            self.emit(ManifestDone(descriptor.digest, destination.tag or descriptor.digest, "pushed"))

    def _put(self, manifest: Manifest, destination: Destination) -> None:
        target, descriptor = self.targets[destination.repository], manifest.descriptor
        if isinstance(target, ManifestTaker):
            target.push_manifest(descriptor, manifest.content, destination.tag or descriptor.digest)
            return
        if not target.exists(descriptor):
            target.push(descriptor, bytes_opener(manifest.content))
        if destination.tag:
            target.tag(descriptor, destination.tag)

    def _heal(self, manifest: Manifest, repository: str) -> None:
        """A registry may answer for a blob, or by a manifest, and then miss what it needs (a database out of step, a
        clean-up that went too far): all of it is sent once more."""
        for child in manifest.children:
            if child.digest in self.plan.manifests:
                below = self.plan.manifests[child.digest]
                self._heal(below, repository)
                self._put(below, Destination(repository))
        for blob in manifest.blobs:
            if blob.digest in self.plan.blobs:
                self._push(self.plan.blobs[blob.digest], repository)


class _Done(NamedTuple):
    """How often a blob was pushed and mounted, and how many bytes of it were ``there`` already where it was pushed."""

    pushes: int
    mounts: int
    there: int

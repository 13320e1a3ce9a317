# SPDX-License-Identifier: Apache-2.0
"""Move what was planned: blobs in parallel, the largest first; then manifests, children first; tags last.

A digest moves once, however many repositories need it: it is pushed to the first of them and mounted from there into
the others. A root with a tag is pushed once, by its tag, so that a tag never appears before its content.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

from airgap.errors import AirgapError, ContentError, ContentMissing, DigestMismatch, Interrupted, RegistryError
from airgap.events import BlobDone, BlobStarted, ImageFailed, ManifestDone, Planned, Retrying, ignore
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_EMPTY, Manifest, successors
from airgap.records import Record, field
from airgap.store.protocols import Opener, Reader, Source, Store, SupportsBlobCheck, SupportsMount
from airgap.store.readers import bytes_opener
from airgap.transfer.budget import FailureCount
from airgap.transfer.context import Context
from airgap.transfer.graph import Destination
from airgap.transfer.plan import BlobJob, Plan
from airgap.transfer.pool import Item, Result, parallel_map
from airgap.transfer.progress import Meter
from airgap.transfer.report import CopyOptions, Report

_MISMATCH_HINT = tr("what carries the bytes may have changed them")
_SECOND_MISMATCH_HINT = tr(
    "it was so twice: something on the way changes bytes, or the registry's own content is damaged; go over https://, "
    "by another line or from another machine"
)
#: distribution-spec "Error Codes": the registry misses something that a manifest refers to.
_LACKS_PARTS = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN")


@runtime_checkable
class SupportsManifestPush(Protocol):
    """A store that takes a manifest and its name in one request."""

    def push_manifest(self, descriptor: Descriptor, content: bytes, name: str, /) -> None:
        """Put ``content`` under ``name``, a tag or the digest."""


def copy(
    plan: Plan,
    sources: Mapping[str, Source],
    targets: Mapping[str, Store],
    context: Context | None = None,
    options: CopyOptions | None = None,
) -> Report:
    """Make every destination of ``plan`` hold its images; ``sources`` and ``targets`` are by the names in the plan.

    Without ``keep_going`` the first failure stops the others and is raised. With it, images that could not be moved
    whole are listed in the report and get no tag.
    """
    context = context or Context()
    context.emit(Planned(len(plan.images), len(plan.manifests), len(plan.blobs), plan.blob_bytes))
    return _Copy(plan, sources, targets, context, options or CopyOptions()).run()


class _BlobResult(NamedTuple):
    """How often a blob was pushed and mounted, and how many bytes of it were already where it was pushed."""

    pushes: int
    mounts: int
    resumed_bytes: int


class _Copy(Record, frozen=False):
    plan: Plan
    sources: Mapping[str, Source]
    targets: Mapping[str, Store]
    context: Context
    options: CopyOptions
    report: Report = field(default_factory=Report)
    image_names: dict[str, str] = field(default_factory=dict)
    #: Blobs and manifests that failed, by digest.
    failed: dict[str, AirgapError] = field(default_factory=dict)
    failure_count: FailureCount = field(default_factory=FailureCount)

    def run(self) -> Report:
        started = time.monotonic()
        self.image_names, jobs = self.plan.image_names(), self._ordered_jobs()
        workers = 1 if self.options.order else self.context.jobs.transfers
        for job, result in zip(jobs, self._map(jobs, self._copy_blob, workers), strict=True):
            if isinstance(result, AirgapError):
                self.failed[job.descriptor.digest] = result
            else:
                self._count(job, result)
        tags = self._tagged_destinations()
        for level in self._manifests_by_height():
            results = self._map(
                level, lambda manifest: self._copy_manifest(manifest, tags), self.context.jobs.transfers
            )
            for manifest, failure in zip(level, results, strict=True):
                if isinstance(failure, AirgapError):
                    self.failed[manifest.descriptor.digest] = failure
                else:
                    self.report.manifests += 1
        for image in self.plan.images:
            if image.digest in self.failed:
                self.report.failures.append((image.root, self.failed[image.digest]))
                self.context.emit(ImageFailed(image.root.label, str(self.failed[image.digest])))
        self.report.seconds = time.monotonic() - started
        return self.report

    def _ordered_jobs(self) -> list[BlobJob]:
        largest_first = sorted(self.plan.blobs.values(), key=lambda job: -job.descriptor.size)
        if self.options.order is None:
            return largest_first
        positions = {descriptor.digest: position for position, descriptor in enumerate(self.options.order)}
        # Blobs that the order does not list come from another source, and go last.
        return sorted(largest_first, key=lambda job: positions.get(job.descriptor.digest, len(positions)))

    def _map(self, items: Sequence[Item], work: Callable[[Item], Result], workers: int) -> list[Result | AirgapError]:
        return parallel_map(
            items, work, workers=workers, cancel=self.context.cancel, keep_going=self.options.keep_going
        )

    def _count(self, job: BlobJob, result: _BlobResult) -> None:
        size = job.descriptor.size
        self.report.mounted += result.mounts
        self.report.mounted_bytes += result.mounts * size
        if result.pushes:
            self.report.moved += 1
            self.report.moved_bytes += result.pushes * size - result.resumed_bytes
            self.report.resumed += bool(result.resumed_bytes)
            self.report.resumed_bytes += result.resumed_bytes
        # The empty config, "{}", is no content: nothing was saved by having it.
        elif not result.mounts and job.descriptor.media_type != OCI_EMPTY:
            self.report.skipped += 1
            self.report.skipped_bytes += size

    def _copy_blob(self, job: BlobJob) -> _BlobResult:
        """Put one blob into every repository that lacks it."""
        return self.failure_count.run(None, lambda: self._copy_blob_now(job))

    def _copy_blob_now(self, job: BlobJob) -> _BlobResult:
        descriptor = job.descriptor
        self.context.emit(BlobStarted(descriptor.digest, descriptor.size, self.image_names[descriptor.digest]))
        try:
            result = self._put_everywhere(job)
        except AirgapError as error:
            if not isinstance(error, Interrupted):
                self.context.emit(BlobDone(descriptor.digest, 0, "failed"))
            raise
        if result.resumed_bytes:
            verb = "resumed"
        elif result.pushes:
            verb = self.options.verb
        else:
            verb = "mounted" if result.mounts else "skipped"
        self.context.emit(BlobDone(descriptor.digest, descriptor.size, verb))
        return result

    def _put_everywhere(self, job: BlobJob) -> _BlobResult:
        descriptor, pushes, mounts, resumed_bytes = job.descriptor, 0, 0, 0
        holders, lacking = self._locate(job)
        for name, known_missing in lacking.items():
            mount_sources = holders or job.mount_sources
            if mount_sources and self._mount(descriptor, name, mount_sources[-1]):
                mounts += 1
            elif known_missing or not self.targets[name].exists(descriptor):
                resumed_bytes += self._push(job, name)
                pushes += 1
            holders.append(name)
        return _BlobResult(pushes, mounts, resumed_bytes)

    def _locate(self, job: BlobJob) -> tuple[list[str], dict[str, bool]]:
        """The repositories that have the blob, and the others, each with whether it is known to lack the blob.

        Where one repository has it, mounting from there makes asking the others unnecessary. Of the repositories where
        planning found none of our tags or manifests, only the first is asked: an interrupted run would have started
        there.
        """
        digest, existing = job.descriptor.digest, self.options.existing
        lacking = dict.fromkeys(job.targets, False)
        used_repositories = set(job.targets)
        if existing is not None:
            holders = [name for name in job.targets if existing.has(name, digest)]
            for name in holders:
                del lacking[name]
            if not holders and digest in existing.holder_by_digest:
                holders = [existing.holder_by_digest[digest]]
            if holders:
                return holders, lacking
            used_repositories = existing.used_repositories
        used = [name for name in lacking if name in used_repositories]
        unused = [name for name in lacking if name not in used_repositories]
        for name in [*used, *unused[:1]]:
            if self.targets[name].exists(job.descriptor):
                del lacking[name]
                return [name], lacking
            lacking[name] = True
        return [], lacking

    def _mount(self, descriptor: Descriptor, name: str, mount_source: str) -> bool:
        target = self.targets[name]
        return isinstance(target, SupportsMount) and target.mount(descriptor, mount_source)

    def _push(self, job: BlobJob, name: str) -> int:
        """Push one blob; return how many bytes of it were there already."""
        descriptor = job.descriptor
        content = self.plan.inline_blobs.get(descriptor.digest)
        opener = bytes_opener(content) if content is not None else self._opener(job)
        meter = Meter(descriptor, opener, self.context.emit, self.context.cancel)
        try:
            self._try_twice(job, lambda: self.targets[name].push(descriptor, meter.open))
        except ContentError as error:
            error.where = error.where or str(self.sources[job.sources[-1]])
            error.again = error.again or not isinstance(error, DigestMismatch)
            error.hint = error.hint or (_MISMATCH_HINT if error.again else _SECOND_MISMATCH_HINT)
            raise
        return meter.resumed_bytes

    def _try_twice(self, job: BlobJob, push: Callable[[], None]) -> None:
        """Push again after a digest mismatch, unless the source is damaged: a byte may have changed on the way."""
        try:
            push()
        except DigestMismatch as error:
            self._raise_if_source_damaged(job)
            self.context.emit(Retrying(job.descriptor.digest, error.what, 1, 0.0))
            push()

    def _raise_if_source_damaged(self, job: BlobJob) -> None:
        """Raise the error if the local copy of the blob is itself damaged."""
        descriptor = job.descriptor
        for source in (self.sources[name] for name in job.sources):
            if isinstance(source, SupportsBlobCheck) and source.exists(descriptor):
                try:
                    meter = Meter(descriptor, partial(source.open, descriptor), ignore, self.context.cancel)
                    source.check_blob(descriptor, meter.open)
                except ContentError as damage:
                    damage.what = f"{tr('{digest} is damaged where it lies', digest=descriptor.digest)}: {damage.what}"
                    raise

    def _opener(self, job: BlobJob) -> Opener:
        def open_(offset: int) -> Reader:
            for source in job.sources[:-1]:
                try:
                    return self.sources[source].open(job.descriptor, offset)
                except ContentMissing:
                    continue
            return self.sources[job.sources[-1]].open(job.descriptor, offset)

        return open_

    def _tagged_destinations(self) -> dict[str, list[Destination]]:
        """The tagged destinations of each root manifest, by digest."""
        tags: dict[str, list[Destination]] = {}
        for image in self.plan.images:
            tags.setdefault(image.digest, []).extend(place for place in image.root.destinations if place.tag)
        return tags

    def _manifests_by_height(self) -> list[list[Manifest]]:
        """Manifests by their height above the leaves. A manifest with a subject comes after its subject."""
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

    def _copy_manifest(self, manifest: Manifest, tags: Mapping[str, list[Destination]]) -> None:
        for needed in successors(manifest):
            if needed.digest in self.failed:
                raise self.failed[needed.digest]
        self.failure_count.run(None, lambda: self._copy_manifest_now(manifest, tags))

    def _copy_manifest_now(self, manifest: Manifest, tags: Mapping[str, list[Destination]]) -> None:
        descriptor, existing = manifest.descriptor, self.options.existing
        tagged = list(dict.fromkeys(tags.get(descriptor.digest, ())))
        tagged_repositories = {destination.repository for destination in tagged}
        untagged = [
            Destination(name) for name in self.plan.repositories[descriptor.digest] if name not in tagged_repositories
        ]
        for destination in (*untagged, *tagged):
            present = existing is not None and existing.has(destination.repository, descriptor.digest)
            if present and not destination.tag:
                self.context.emit(ManifestDone(descriptor.digest, descriptor.digest, "skipped"))
                continue
            try:
                self._put_manifest(manifest, destination)
            except RegistryError as error:
                if error.code not in _LACKS_PARTS:
                    raise
                self._heal(manifest, destination.repository)
                self._put_manifest(manifest, destination)
            self.context.emit(ManifestDone(descriptor.digest, destination.tag or descriptor.digest, "pushed"))

    def _put_manifest(self, manifest: Manifest, destination: Destination) -> None:
        target, descriptor = self.targets[destination.repository], manifest.descriptor
        if isinstance(target, SupportsManifestPush):
            target.push_manifest(descriptor, manifest.content, destination.tag or descriptor.digest)
            return
        if not target.exists(descriptor):
            target.push(descriptor, bytes_opener(manifest.content))
        if destination.tag:
            target.tag(descriptor, destination.tag)

    def _heal(self, manifest: Manifest, repository: str) -> None:
        """Push everything below a manifest once more: a registry may say that it has a blob and then miss it (its
        database out of step, a clean-up that removed too much)."""
        for child in manifest.children:
            if child.digest in self.plan.manifests:
                below = self.plan.manifests[child.digest]
                self._heal(below, repository)
                self._put_manifest(below, Destination(repository))
        for blob in manifest.blobs:
            if blob.digest in self.plan.blobs:
                self._push(self.plan.blobs[blob.digest], repository)

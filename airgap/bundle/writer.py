# SPDX-License-Identifier: Apache-2.0
"""Writes a bundle: a store that writes each blob to its own offset, from several threads.

The file has its final name only after ``finish``. Each byte is written once; padding and gaps are the file system's
zeros. With a journal, an interrupted bundle can be continued in the middle of a blob.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from airgap.bundle.background_sync import BackgroundSync
from airgap.bundle.folder.draft import FolderDraft
from airgap.bundle.journal import ExportJournal
from airgap.bundle.media import Draft, FileDraft
from airgap.bundle.media.base import PreadReader
from airgap.bundle.media.volume_draft import VolumeDraft
from airgap.bundle.tar import Member, TarLayout
from airgap.errors import AirgapError, BundleError, ContentError, ContentMissing, DigestMismatch, NotFound, OutputError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BUFFER_SIZE, BytesReader, read_verified

#: A blob's progress is recorded after this many bytes. A killed process loses at most so much of each blob.
_RECORD_INTERVAL = 8 * 1024 * 1024


class BundleWriter:
    """A bundle that is being written. Made by :meth:`create`, :meth:`begin` or :meth:`resume`. Thread-safe.

    Blobs are added with :meth:`push`. One of :meth:`finish`, :meth:`keep` and :meth:`discard` ends it.
    """

    def __init__(self, draft: Draft, layout: TarLayout, journal: ExportJournal | None = None) -> None:
        self.path = draft.path
        #: Whether one worker should write the blobs in the order of their offsets.
        self.ordered = draft.ordered
        self._draft = draft
        self._layout = layout
        self._journal = journal
        #: The digests of finished blobs.
        self._finished: set[str] = set()
        #: How many bytes of unfinished blobs an earlier run wrote, by digest.
        self._written: dict[str, int] = {}
        self._lock = threading.Lock()
        self._blob_locks: dict[str, threading.Lock] = {}
        self._background_sync = BackgroundSync(draft, journal) if journal is not None else None

    @classmethod
    def create(cls, path: str | os.PathLike[str], layout: TarLayout) -> BundleWriter:
        """Begin a plain tar without a journal. Raises :class:`OutputError` as :meth:`FileDraft.begin` does."""
        return cls.begin(FileDraft.begin(Path(path), layout.total), layout, {})

    @classmethod
    def begin(
        cls, draft: Draft, layout: TarLayout, contents: Mapping[str, bytes], journal: ExportJournal | None = None
    ) -> BundleWriter:
        """Begin a bundle: write its head and the blobs in ``contents``, which maps digests to content.

        ``journal`` has its first line already. Raises :class:`OutputError`; the draft is then deleted.
        """
        writer = cls(draft, layout, journal)
        try:
            writer._write_head()
            if isinstance(draft, FolderDraft):
                writer._keep_settled(draft)
            writer._write_contents(contents)
        except BaseException:
            writer.discard()
            raise
        return writer

    @classmethod
    def resume(
        cls, draft: Draft, layout: TarLayout, contents: Mapping[str, bytes], journal: ExportJournal
    ) -> BundleWriter | None:
        """Continue the bundle of an earlier run. Return ``None`` and keep the draft if its head is different.

        Raises :class:`OutputError`; the draft is then kept.
        """
        writer = cls(draft, layout, journal)
        try:
            if not all(_holds(draft, member.header + content, member.header_offset) for member, content in layout.head):
                draft.keep()
                return None
            writer._load_progress(journal, contents)
            writer._write_head()
            writer._write_contents(contents)
        except BaseException:
            writer.keep()
            raise
        return writer

    def resolve(self, name: str) -> Descriptor:
        """Return the blob with the digest ``name``. Raises :class:`NotFound`."""
        for blob in self._layout.blobs:
            if blob.digest == name:
                return blob
        raise NotFound(tr("{name} is not in this bundle", name=name), where=str(self.path))

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the blob is finished."""
        return descriptor.digest in self._finished

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Open a finished blob. Raises :class:`ContentMissing`."""
        self._require_finished(descriptor)
        place = self._layout.places[descriptor.digest]
        return PreadReader(self._draft.read, place.content_offset + offset, place.size - offset, str(self.path))

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        """Write a blob and verify it; continue where an earlier run stopped.

        Raises :class:`ContentMissing` for a blob that the layout does not have, :class:`ContentError` for another size
        or digest, :class:`OutputError`, and what the reader raises.
        """
        place = self._layout.places.get(descriptor.digest)
        if place is None:
            raise ContentMissing(
                tr("{digest} has no place in this bundle", digest=descriptor.digest), where=str(self.path)
            )
        if place.size != descriptor.size:
            raise ContentError(
                tr(
                    "{digest} has {size} bytes, its place in this bundle {place_size}",
                    digest=descriptor.digest,
                    size=descriptor.size,
                    place_size=place.size,
                ),
                where=str(self.path),
            )
        with self._lock:
            blob_lock = self._blob_locks.setdefault(descriptor.digest, threading.Lock())
        with blob_lock:
            if descriptor.digest in self._finished:
                return
            for start in self._resume_offsets(descriptor):
                try:
                    self._write_blob(descriptor, place, opener, start)
                    break
                except DigestMismatch as error:
                    # A power cut may have damaged the bytes before `start`.
                    self._rewind_to_header(place, error)
                    self._written.pop(descriptor.digest, None)
                    if start == 0:
                        raise
            if isinstance(self._draft, FolderDraft):
                self._draft.settle(place)
            self._finished.add(descriptor.digest)
            self._written.pop(descriptor.digest, None)
            if self._journal is not None:
                self._journal.record_finished(descriptor.digest)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Check that the blob is finished. Names are in ``index.json`` from the start. Raises ContentMissing."""
        self._require_finished(descriptor)

    def finish(self) -> None:
        """Write the signatures, sync the bundle, give it its final name and delete the journal.

        Raises :class:`AirgapError` if a blob is missing, :class:`OutputError`.
        """
        missing = [blob.digest for blob in self._layout.blobs if blob.digest not in self._finished]
        if missing:
            raise AirgapError(
                tr(
                    "{missing_count} blobs were never written, the first is {missing}",
                    missing_count=len(missing),
                    missing=missing[0],
                )
            )
        if self._layout.tail:
            self._draft.write(memoryview(self._layout.tail), self._layout.size - len(self._layout.tail))
        if self._background_sync is not None:
            self._background_sync.finish()
        self._draft.finish()
        if self._journal is not None:
            self._journal.remove()

    def keep(self) -> None:
        """Close the files and leave them for the next run."""
        self._wait_for_sync()
        self._draft.keep()
        if self._journal is not None:
            self._journal.close()

    def discard(self) -> None:
        """Delete the draft and the journal. After :meth:`finish` this does nothing."""
        self._wait_for_sync()
        self._draft.discard()
        if self._journal is not None:
            self._journal.remove()

    @property
    def worth_keeping(self) -> bool:
        """Whether the journal records any written bytes."""
        return self._journal is not None and self._journal.line_count > 1

    def _require_finished(self, descriptor: Descriptor) -> None:
        if descriptor.digest not in self._finished:
            raise ContentMissing(tr("{digest} is not written yet", digest=descriptor.digest), where=str(self.path))

    def _write_head(self) -> None:
        for member, content in self._layout.head:
            self._draft.write(memoryview(member.header + content), member.header_offset)

    def _write_contents(self, contents: Mapping[str, bytes]) -> None:
        """Write the blobs in ``contents`` that are not finished; an ordered draft only up to the first other blob."""
        for blob in self._layout.blobs:
            place = self._layout.places[blob.digest]
            if isinstance(self._draft, VolumeDraft) and not self._draft.overlaps(place.header_offset, place.end):
                # The blob is in other volumes than the one that is written.
                self._finished.add(blob.digest)
            elif blob.digest in contents and blob.digest not in self._finished:
                read_verified(blob, BytesReader(contents[blob.digest]), lambda piece, offset: None)
                self._draft.write(memoryview(place.header + contents[blob.digest]), place.header_offset)
                self._finished.add(blob.digest)
            elif self.ordered and blob.digest not in self._finished:
                break

    def _load_progress(self, journal: ExportJournal, contents: Mapping[str, bytes]) -> None:
        """Take over the blobs that were synced to the disk, and those that pass verification.

        Of an ordered draft only blobs before the first unfinished one are taken over.
        """
        progress = journal.progress
        past_gap = False
        for blob in self._layout.blobs:
            if blob.digest in contents:
                continue
            place = self._layout.places[blob.digest]
            recorded_finished = blob.digest in progress.finished
            written = progress.written.get(blob.digest, 0)
            is_synced = blob.digest in progress.finished_synced
            if isinstance(self._draft, FolderDraft):
                # Somebody may have taken files out of the folder.
                is_synced = is_synced and self._draft.holds(place)
            if not past_gap and recorded_finished and (is_synced or self._is_intact(blob, place)):
                self._finished.add(blob.digest)
                continue
            if recorded_finished or (past_gap and written):
                # Cancel the earlier line; otherwise the next "synced" line would declare these bytes good.
                journal.record_written(blob.digest, 0)
            elif written:
                self._written[blob.digest] = min(written, place.size)
            past_gap = self.ordered
        if progress.finished - progress.finished_synced:
            # Blobs that were just verified need not be verified again by the next run.
            assert self._background_sync is not None
            self._background_sync.sync_now()

    def _keep_settled(self, draft: FolderDraft) -> None:
        """Take over the blobs that an earlier bundle in the folder has, if they pass verification."""
        for blob in self._layout.blobs:
            place = self._layout.places[blob.digest]
            if draft.is_settled(place) and self._is_intact(blob, place):
                self._finished.add(blob.digest)
                if self._journal is not None:
                    self._journal.record_finished(blob.digest)

    def _is_intact(self, blob: Descriptor, place: Member) -> bool:
        """Whether the blob on the disk has the right digest."""
        reader = PreadReader(self._draft.read, place.content_offset, place.size, str(self.path))
        try:
            read_verified(blob, reader, lambda piece, offset: None)
        except (ContentError, BundleError):
            return False
        return True

    def _resume_offsets(self, descriptor: Descriptor) -> Iterator[int]:
        """Yield the offsets in the blob to continue from: after all recorded bytes, after the synced ones, and 0."""
        written = self._written.get(descriptor.digest, 0)
        if written:
            yield written
        synced = self._journal.progress.written_synced.get(descriptor.digest, 0) if self._journal is not None else 0
        if 0 < synced < written:
            yield synced
        yield 0

    def _rewind_to_header(self, place: Member, mismatch: DigestMismatch) -> None:
        try:
            self._draft.rewind(place.header_offset)
        except OutputError as error:
            error.what = f"{mismatch.what}; {error.what}"
            raise error from mismatch

    def _write_blob(self, descriptor: Descriptor, place: Member, opener: Opener, start: int) -> None:
        """Write a blob from the offset ``start`` on, after hashing the ``start`` bytes that are on the disk."""
        hash_, position = digests.hasher(descriptor.digest), 0
        start = max(0, self._draft.rewind(place.content_offset + start) - place.content_offset) if start else 0
        while position < start:
            piece = self._draft.read(min(BUFFER_SIZE, start - position), place.content_offset + position)
            if not piece:
                raise DigestMismatch(
                    tr("what an earlier run left of {digest} cannot be read", digest=descriptor.digest)
                )
            hash_.update(piece)
            position += len(piece)
        if not position:
            self._draft.rewind(place.header_offset)
            self._draft.write(memoryview(place.header), place.header_offset)
        recorded = written = position

        def take(piece: memoryview, offset: int) -> None:
            nonlocal recorded, written
            self._draft.write(piece, place.content_offset + offset)
            written = offset + len(piece)
            if self._journal is None or self._background_sync is None:
                return
            if written - recorded >= _RECORD_INTERVAL:
                self._journal.record_written(descriptor.digest, written)
                recorded = written
            self._background_sync.add_written(len(piece))

        reader = opener(position)
        try:
            read_verified(descriptor, reader, take, start=(hash_, position))
        except ContentError:
            raise
        except AirgapError:
            # The source failed, so the written bytes are good: the next run need not fetch them again.
            if self._journal is not None and written > recorded:
                self._journal.record_written(descriptor.digest, written)
            raise
        finally:
            reader.close()

    def _wait_for_sync(self) -> None:
        if self._background_sync is not None:
            self._background_sync.wait()


def _holds(draft: Draft, content: bytes, offset: int) -> bool:
    """Whether an earlier run wrote ``content`` at ``offset``."""
    if isinstance(draft, VolumeDraft):
        return draft.holds(content, offset)
    return draft.read(len(content), offset) == content

# SPDX-License-Identifier: Apache-2.0
"""A bundle being made: a store whose blobs are written straight to their own places, by several threads.

Until ``finish`` no file of the bundle's name appears. Each byte is written once: padding and gaps are the file
system's own zeros. With a journal, what was written before is kept, and a blob goes on where it stopped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from airgap.bundle.journal import ExportJournal
from airgap.bundle.media import Draft, FileDraft
from airgap.bundle.media.base import Pieces
from airgap.bundle.media.volume_draft import VolumeDraft
from airgap.bundle.syncing import Syncing
from airgap.bundle.tar import Layout, Member, header
from airgap.errors import AirgapError, BundleError, ContentError, ContentMissing, DigestMismatch, NotFound, OutputError
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BUFFER_SIZE, BytesReader, read_verified

#: A blob's progress is noted after so many bytes: a kill costs nothing that was noted.
_NOTE = 8 * 1024 * 1024


class BundleWriter:
    """Made by :meth:`create`, :meth:`begin` or :meth:`go_on`; filled by ``push``; ended by :meth:`finish`,
    :meth:`keep` or :meth:`discard`."""

    def __init__(self, draft: Draft, layout: Layout, journal: ExportJournal | None = None) -> None:
        self.path = draft.path
        #: Whether one worker should write blobs in the order of their places.
        self.ordered = draft.ordered
        self._draft = draft
        self._layout = layout
        self._journal = journal
        self._done: set[str] = set()
        self._begun: dict[str, int] = {}
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}
        self._syncing = Syncing(draft, journal) if journal is not None else None

    @classmethod
    def create(cls, path: str | os.PathLike[str], layout: Layout) -> BundleWriter:
        """One plain file without a journal. Raises :class:`OutputError` when the folder cannot be written, another
        airgap is writing the same bundle, or there is too little space."""
        return cls.begin(FileDraft.begin(Path(path), layout.total), layout, {})

    @classmethod
    def begin(
        cls, draft: Draft, layout: Layout, contents: Mapping[str, bytes], journal: ExportJournal | None = None
    ) -> BundleWriter:
        """Write the head, and those blobs whose ``contents`` are known by their digest. ``journal`` has begun."""
        writer = cls(draft, layout, journal)
        try:
            writer._write_known(contents)
        except BaseException:
            writer.discard()
            raise
        return writer

    @classmethod
    def go_on(
        cls, draft: Draft, layout: Layout, contents: Mapping[str, bytes], journal: ExportJournal
    ) -> BundleWriter | None:
        """Take over what the journal's run left; ``None``, and the draft is kept, where its head is another's."""
        writer = cls(draft, layout, journal)
        try:
            for member, content in layout.head:
                expected = header(member.name, member.size, directory=member.directory) + content
                if draft.read(len(expected), member.offset) != expected:
                    draft.keep()
                    return None
            writer._believe(journal, contents)
            writer._write_known(contents)
        except BaseException:
            writer.keep()
            raise
        return writer

    def resolve(self, name: str) -> Descriptor:
        for blob in self._layout.blobs:
            if blob.digest == name:
                return blob
        raise NotFound(f"{name} is not in this bundle", where=str(self.path))

    def exists(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self._done

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        if descriptor.digest not in self._done:
            raise ContentMissing(f"{descriptor.digest} is not written yet", where=str(self.path))
        place = self._layout.places[descriptor.digest]
        return Pieces(self._draft.read, place.data + offset, place.size - offset, str(self.path))

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        place = self._layout.places.get(descriptor.digest)
        if place is None:
            raise ContentMissing(f"{descriptor.digest} has no place in this bundle", where=str(self.path))
        if place.size != descriptor.size:
            raise ContentError(
                f"{descriptor.digest} has {descriptor.size} bytes, its place in this bundle {place.size}",
                where=str(self.path),
            )
        with self._lock:
            busy = self._busy.setdefault(descriptor.digest, threading.Lock())
        with busy:
            if descriptor.digest in self._done:
                return
            for start in self._starts(descriptor):
                try:
                    self._fill(descriptor, place, opener, start)
                    break
                except DigestMismatch as error:
                    # What an earlier run left may be what a power cut made of it.
                    self._take_back(place, error)
                    self._begun.pop(descriptor.digest, None)
                    if start == 0:
                        raise
            self._done.add(descriptor.digest)
            self._begun.pop(descriptor.digest, None)
            if self._journal is not None:
                self._journal.finished(descriptor.digest)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Names stand in ``index.json`` already; here only that the content is there is checked."""
        if descriptor.digest not in self._done:
            raise ContentMissing(f"{descriptor.digest} is not written yet", where=str(self.path))

    def finish(self) -> None:
        """Everything is there: make it last, and give it its name."""
        missing = [blob.digest for blob in self._layout.blobs if blob.digest not in self._done]
        if missing:
            raise AirgapError(f"{len(missing)} blobs were never written, the first is {missing[0]}")
        if self._syncing is not None:
            self._syncing.finish()
        self._draft.finish()
        if self._journal is not None:
            self._journal.remove()

    def keep(self) -> None:
        """Leave what is there for the next run."""
        self._end_syncing()
        self._draft.keep()
        if self._journal is not None:
            self._journal.close()

    def discard(self) -> None:
        """Leave nothing behind; after :meth:`finish` this does nothing."""
        self._end_syncing()
        self._draft.discard()
        if self._journal is not None:
            self._journal.remove()

    @property
    def worth_keeping(self) -> bool:
        """Whether a run that stops here leaves something that the next one need not fetch."""
        return self._journal is not None and bool(self._journal.lines > 1)

    def _write_known(self, contents: Mapping[str, bytes]) -> None:
        for member, content in self._layout.head:
            block = header(member.name, member.size, directory=member.directory)
            self._draft.write(memoryview(block + content), member.offset)
        for blob in self._layout.blobs:
            place = self._layout.places[blob.digest]
            if isinstance(self._draft, VolumeDraft) and not self._draft.holds(place.offset, place.end):
                self._done.add(blob.digest)  # what stands in another volume than the one that is made
            elif blob.digest in contents and blob.digest not in self._done:
                read_verified(blob, BytesReader(contents[blob.digest]), lambda piece, at: None)
                self._draft.write(memoryview(header(place.name, place.size) + contents[blob.digest]), place.offset)
                self._done.add(blob.digest)
            elif self.ordered and blob.digest not in self._done:
                break  # what stands behind it comes after it

    def _believe(self, journal: ExportJournal, contents: Mapping[str, bytes]) -> None:
        """Take over what is on the disk for certain, and what hashes to what it should; an ordered draft only as far
        as it has no gap."""
        progress = journal.progress
        gap = False
        for blob in self._layout.blobs:
            if blob.digest in contents:
                continue
            place = self._layout.places[blob.digest]
            claimed, reached = blob.digest in progress.whole, progress.reached.get(blob.digest, 0)
            if not gap and claimed and (progress.whole[blob.digest] or self._hashes(blob, place)):
                self._done.add(blob.digest)
                continue
            if claimed or (gap and reached):
                # Withdraw the claim, or the next "synced" line would vouch for it.
                journal.note(blob.digest, 0)
            elif reached:
                self._begun[blob.digest] = min(reached, place.size)
            gap = self.ordered
        if any(not on_disk for on_disk in progress.whole.values()):
            # What was hashed now need not be hashed again by the run after this one.
            assert self._syncing is not None
            self._syncing.now()

    def _hashes(self, blob: Descriptor, place: Member) -> bool:
        try:
            read_verified(
                blob, Pieces(self._draft.read, place.data, place.size, str(self.path)), lambda piece, at: None
            )
        except (ContentError, BundleError):
            return False
        return True

    def _starts(self, descriptor: Descriptor) -> Iterator[int]:
        """Where to go on in a blob: behind all that was noted, behind what was synced, at its start."""
        begun = self._begun.get(descriptor.digest, 0)
        if begun:
            yield begun
        synced = self._journal.progress.synced.get(descriptor.digest, 0) if self._journal is not None else 0
        if 0 < synced < begun:
            yield synced
        yield 0

    def _take_back(self, place: Member, error: DigestMismatch) -> None:
        try:
            self._draft.cut(place.offset)
        except OutputError as kept:
            kept.what = f"{error.what}; {kept.what}"
            raise kept from error

    def _fill(self, descriptor: Descriptor, place: Member, opener: Opener, start: int) -> None:
        hash_, position = digests.hasher(descriptor.digest), 0
        start = max(0, self._draft.cut(place.data + start) - place.data) if start else 0
        while position < start:
            piece = self._draft.read(min(BUFFER_SIZE, start - position), place.data + position)
            if not piece:
                raise DigestMismatch(f"what an earlier run left of {descriptor.digest} cannot be read")
            hash_.update(piece)
            position += len(piece)
        if not position:
            self._draft.cut(place.offset)
            self._draft.write(memoryview(header(place.name, place.size)), place.offset)
        noted = reached = position

        def take(piece: memoryview, at: int) -> None:
            nonlocal noted, reached
            self._draft.write(piece, place.data + at)
            reached = at + len(piece)
            if self._journal is None or self._syncing is None:
                return
            if reached - noted >= _NOTE:
                self._journal.note(descriptor.digest, reached)
                noted = reached
            self._syncing.wrote(len(piece))

        reader = opener(position)
        try:
            read_verified(descriptor, reader, take, start=(hash_, position))
        except ContentError:
            raise
        except AirgapError:
            # Broken off, not killed: every byte is known, so that the next run fetches none of them again.
            if self._journal is not None and reached > noted:
                self._journal.note(descriptor.digest, reached)
            raise
        finally:
            reader.close()

    def _end_syncing(self) -> None:
        if self._syncing is not None:
            self._syncing.end()

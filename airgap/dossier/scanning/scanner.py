# SPDX-License-Identifier: Apache-2.0
"""Walks through one blob or member of a bundle, file by file and archive by archive, and gives each file to an engine.

A layer is never on the disk as a whole; each file in it is for a moment, so that the engine can read it while the
archive that it may be is unpacked. An archive that is too large for the engine counts as scanned if all of its content
was scanned; any other file does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial

from airgap import limits
from airgap.dossier.budget import Budget, LimitExceeded
from airgap.dossier.entry import Content, Entry
from airgap.dossier.layers import read_archive
from airgap.dossier.scanning.archives import START_BYTES, archive_kind, is_streamed, open_spool, open_stream
from airgap.dossier.scanning.engine import Engine
from airgap.dossier.scanning.findings import Findings
from airgap.dossier.scanning.result import ScannedFile
from airgap.dossier.scanning.spool import Spool
from airgap.dossier.scanning.unscannable import Reason, Unscannable
from airgap.dossier.scanning.verdicts import Verdicts
from airgap.dossier.streams import RawStream, Stream
from airgap.errors import ContentError, DigestMismatch
from airgap.i18n import tr
from airgap.transfer import CancelToken
from airgap.transfer.crew import Crew

_CHUNK = 256 * 1024
#: Between the path of an archive and a path in it.
_IN = "!"


class Scanner:
    """Scans the places of a bundle one after the other, while ``crew`` runs the engine."""

    def __init__(self, engine: Engine, verdicts: Verdicts, findings: Findings, crew: Crew, cancel: CancelToken) -> None:
        self.engine, self.verdicts, self.findings = engine, verdicts, findings
        self._crew, self._cancel = crew, cancel

    def scan(self, place: str, name: str, stream: Stream, size: int, *, is_layer: bool = False) -> None:
        """Scan a place of ``size`` bytes. ``name`` is what its file is called, if it has a name.

        Raises :class:`airgap.errors.ScanFailure` if the engine fails, and the errors of reading the bundle.
        """
        walk = _Walk(self, place, Budget(size, place))
        try:
            if is_layer and is_streamed(archive_kind(stream.start(START_BYTES))):
                walk.entries(read_archive(stream, walk.budget), "", 0)
            else:
                walk.file("", name, stream, size, 0)
        except LimitExceeded as error:
            walk.refuse(walk.current, "limit", error.what)

    def refuse(self, place: str, reason: Reason, what: str, *, size: int) -> None:
        """Say that a whole place was not scanned."""
        self.findings.add_not_scanned(ScannedFile(place, "", what, reason, "", size))

    def accepts(self, size: int) -> bool:
        """Whether a file of this size is given to the engine."""
        return size <= limits.value("scan-file-bytes") and self.engine.accepts(size)

    def submit(self, spool: Spool, file: ScannedFile) -> None:
        """Let the engine scan a file, if its content was not scanned before. Raises its failure for an earlier file."""
        digest = bytes.fromhex(file.digest.removeprefix("sha256:"))
        reused = self.verdicts.seen_earlier(digest)
        if reused or self.verdicts.seen_now(digest):
            self.findings.add_clean(file, reused=bool(reused))
            return
        spool.keep()
        try:
            self._crew.submit(partial(self._judge, spool, file, digest))
        except BaseException:
            spool.release()
            raise

    def _judge(self, spool: Spool, file: ScannedFile, digest: bytes) -> None:
        try:
            self._cancel.check()
            if signature := self.engine.scan(spool):
                self.findings.add_found(file.with_what(signature))
            else:
                self.findings.add_clean(file)
                self.verdicts.add(digest)
        except Unscannable as error:
            self.findings.add_not_scanned(file.with_what(error.what, error.reason))
        finally:
            spool.release()


class _Walk:
    """The way through one place. ``current`` is the file that is being read."""

    def __init__(self, scanner: Scanner, place: str, budget: Budget) -> None:
        self._scanner, self._place, self.budget = scanner, place, budget
        self.current = ""

    def entries(self, entries: Iterable[Entry], path: str, depth: int) -> None:
        """Scan the entries of the archive at ``path``, which is in ``depth`` other archives."""
        try:
            for entry in entries:
                if entry.content is not None and entry.size:
                    inner = f"{path}{_IN}{entry.path}" if path else entry.path
                    self.file(inner, entry.path, entry.content, entry.size, depth)
        except (LimitExceeded, DigestMismatch):
            raise
        except ContentError as error:
            self.refuse(path, error.reason if isinstance(error, Unscannable) else "damaged", error.what)

    def file(self, path: str, name: str, content: Content, size: int, depth: int) -> None:
        """Scan a file, and what is in it. ``size`` is -1 if it is not known."""
        self.current = path
        try:
            self._file(path, name, Stream(_ContentStream(content)), size, depth)
        except (LimitExceeded, DigestMismatch):
            raise
        except ContentError as error:
            self.refuse(path, error.reason if isinstance(error, Unscannable) else "damaged", error.what, size=size)

    def refuse(self, path: str, reason: Reason, what: str, *, digest: str = "", size: int = -1) -> None:
        """Say that a file was not scanned."""
        self._scanner.findings.add_not_scanned(ScannedFile(self._place, path, what, reason, digest, size))

    def _file(self, path: str, name: str, stream: Stream, size: int, depth: int) -> None:
        kind = archive_kind(stream.start(START_BYTES))
        if size > 0 and not self._scanner.accepts(size):
            self._too_large(path, name, kind, stream, size, depth)
            return
        spool = Spool(named=self._scanner.engine.named_files)
        try:
            digest = self._fill(spool, stream)
            if not digest:
                self._too_large(path, name, kind, Stream(_Joined(spool, stream)), size, depth)
                return
            if spool.size:
                self._scanner.submit(spool, ScannedFile(self._place, path, "", "", digest, spool.size))
            if kind and self._may_unpack(path, kind, depth, digest, spool.size):
                self.entries(open_spool(kind, spool, name, self.budget), path, depth + 1)
        finally:
            spool.release()

    def _fill(self, spool: Spool, stream: Stream) -> str:
        """Copy the file and return its digest; an empty string if it is too large, with what was copied so far."""
        content_hash = hashlib.sha256()
        while piece := stream.read(_CHUNK):
            spool.write(piece)
            content_hash.update(piece)
            if not self._scanner.accepts(spool.size):
                return ""
        return f"sha256:{content_hash.hexdigest()}"

    def _too_large(self, path: str, name: str, kind: str, stream: Stream, size: int, depth: int) -> None:
        if not is_streamed(kind):
            self.refuse(path, "too-large", tr("is too large for the engine"), size=size)
        elif self._may_unpack(path, kind, depth, "", size):
            self.entries(open_stream(kind, stream, name, self.budget), path, depth + 1)

    def _may_unpack(self, path: str, kind: str, depth: int, digest: str, size: int) -> bool:
        most = limits.value("scan-depth")
        if depth >= most:
            what = tr("a {kind} archive in {count} others", kind=kind, count=depth)
            self.refuse(path, "too-deep", what, digest=digest, size=size)
        return depth < most


class _ContentStream(RawStream):
    def __init__(self, content: Content) -> None:
        self._content = content

    def read_some(self, buffer: memoryview) -> int:
        piece = self._content.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class _Joined(RawStream):
    """What is in a spool already, then the rest of the stream that it was copied from."""

    def __init__(self, spool: Spool, rest: Stream) -> None:
        self._start, self._rest = spool.stream(), rest

    def read_some(self, buffer: memoryview) -> int:
        count = self._start.read_some(buffer)
        if not count:
            piece = self._rest.read(len(buffer))
            buffer[: len(piece)] = piece
            count = len(piece)
        return count

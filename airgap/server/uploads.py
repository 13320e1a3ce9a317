# SPDX-License-Identifier: Apache-2.0
"""Uploads: how a blob comes in (distribution-spec, "Pushing blobs").

A small blob whose digest and length are known before its first byte goes straight into the store. Any other
is collected in an unnamed temporary file, which no crash can leave behind, and goes into the store when
its digest is told. An upload that breaks off keeps what has arrived, so that it can go on from there.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap.errors import ContentError, DigestMismatch
from airgap.oci import Descriptor
from airgap.server.blobs import Blobs
from airgap.server.exchange import BrokenOff, Input, Request, Response
from airgap.server.problems import Problem, digest_invalid
from airgap.server.repositories import Repositories, check_digest
from airgap.store import FileRange, Reader
from airgap.store.readers import BUFFER_SIZE

#: An upload that nobody has touched for so many seconds is given up.
IDLE = 3600.0
#: So many may be under way at once: each holds a file descriptor.
MOST = 512
#: How long a request waits for another one that writes to the same upload.
PATIENCE = 5.0
#: What is larger is collected first, though it costs a copy: else a break would lose all of it.
STRAIGHT = 8 * 1024 * 1024

_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)
BLOB = "application/octet-stream"


class Upload:
    """One upload under way: ``size`` bytes of it have arrived."""

    def __init__(self, repository: str, folder: Path | None) -> None:
        self.id = str(uuid.uuid4())
        self.repository = repository
        self.size = 0
        self.touched = time.monotonic()
        self.closed = False
        self.lock = threading.Lock()
        self._folder = folder
        self._fd = -1

    def append(self, body: Input, expected: int | None) -> None:
        """Take a body in at the end; raise :class:`BrokenOff` and keep what did arrive.

        A body that turns out longer than it said raises SIZE_INVALID, and nothing of it is kept.
        """
        if expected == 0:
            return
        buffer = memoryview(bytearray(min(BUFFER_SIZE, expected or BUFFER_SIZE)))
        before, arrived = self.size, 0
        while count := body.readinto(buffer):
            if expected is not None and arrived + count > expected:
                self.size = before
                raise Problem(400, "SIZE_INVALID", "the body is longer than Content-Range says")
            piece = buffer[:count]
            while piece:
                written = os.pwrite(self._file(), piece, self.size)
                self.size += written
                piece = piece[written:]
            arrived += count
            self.touched = time.monotonic()
        if expected is not None and arrived != expected:
            raise BrokenOff(f"{arrived} of {expected} bytes arrived")

    def opener(self, offset: int) -> Reader:
        return FileRange(self._file(), offset, self.size - offset)

    def close(self) -> None:
        self.closed = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def range(self) -> str:
        """What has arrived, both ends included; ``0-0`` also stands for nothing, as registries write it."""
        return f"0-{max(self.size - 1, 0)}"

    def _file(self) -> int:
        if self._fd < 0:
            with tempfile.TemporaryFile(prefix=".airgap-upload-", dir=self._folder) as file:
                self._fd = os.dup(file.fileno())
        return self._fd


class Uploads:
    """``folder`` is where unfinished uploads lie, the system's temporary folder by default."""

    def __init__(self, repositories: Repositories, blobs: Blobs, folder: Path | None = None) -> None:
        self._repositories = repositories
        self._blobs = blobs
        self._folder = folder
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def post(self, request: Request, repository: str) -> Response:
        """Begin an upload, or be done with it at once: by ``?mount=`` or by ``?digest=`` and a body."""
        self._repositories.target()
        mount, digest = request.parameter("mount"), request.parameter("digest")
        if mount is not None:
            try:
                self._blobs.find(mount)
                return self._created(repository, mount)
            except Problem as problem:
                if problem.status != 404:
                    raise
        elif digest is not None:
            upload = Upload(repository, self._folder)
            try:
                return self._finish(request, upload, check_digest(digest), request.length, straight=True)
            finally:
                upload.close()
        return self._accepted(self._begin(repository), 202)

    def status(self, repository: str, identifier: str) -> Response:
        return self._accepted(self._find(repository, identifier), 204)

    def patch(self, request: Request, repository: str, identifier: str) -> Response:
        """Take in the next part, with or without Content-Range."""
        with self._writing(repository, identifier) as upload:
            upload.append(request.body, self._expected(request, upload))
            return self._accepted(upload, 202)

    def put(self, request: Request, repository: str, identifier: str) -> Response:
        """Take in the last part, which may be empty, and put the whole into the store."""
        digest = request.parameter("digest")
        with self._writing(repository, identifier) as upload:
            if digest is None:
                raise digest_invalid("", "an upload ends with ?digest=")
            check_digest(digest)
            expected = self._expected(request, upload)
            try:
                response = self._finish(request, upload, digest, expected)
            except Problem as problem:
                if problem.code == "DIGEST_INVALID":
                    self._forget(upload)
                raise
            self._forget(upload)
            return response

    def cancel(self, repository: str, identifier: str) -> Response:
        with self._writing(repository, identifier) as upload:
            self._forget(upload)
        return Response(204)

    def close(self) -> None:
        """Give all up."""
        with self._lock:
            uploads = list(self._uploads.values())
            self._uploads.clear()
        for upload in uploads:
            with upload.lock:
                upload.close()

    def _finish(
        self, request: Request, upload: Upload, digest: str, length: int | None, *, straight: bool = False
    ) -> Response:
        store = self._repositories.target()
        try:
            if upload.size == 0 and request.length is not None and (straight or request.length <= STRAIGHT):
                length = request.length
                store.push(Descriptor(BLOB, digest, length), lambda offset: _Body(request.body, length, offset))
            else:
                upload.append(request.body, length)
                store.push(Descriptor(BLOB, digest, upload.size), upload.opener)
        except DigestMismatch as error:
            raise digest_invalid(digest, f"the blob is another one: {error.what}") from error
        return self._created(upload.repository, digest)

    def _begin(self, repository: str) -> Upload:
        upload, now = Upload(repository, self._folder), time.monotonic()
        with self._lock:
            for old in [old for old in self._uploads.values() if now - old.touched > IDLE]:
                if old.lock.acquire(blocking=False):
                    del self._uploads[old.id]
                    old.close()
                    old.lock.release()
            if len(self._uploads) >= MOST:
                raise Problem(429, "TOOMANYREQUESTS", "too many uploads are under way", headers=[("Retry-After", "60")])
            self._uploads[upload.id] = upload
        return upload

    def _find(self, repository: str, identifier: str) -> Upload:
        with self._lock:
            upload = self._uploads.get(identifier)
        if upload is None or upload.repository != repository:
            raise Problem(404, "BLOB_UPLOAD_UNKNOWN", "no such upload: it is finished, cancelled or was never begun")
        upload.touched = time.monotonic()
        return upload

    @contextmanager
    def _writing(self, repository: str, identifier: str) -> Iterator[Upload]:
        self._repositories.target()
        upload = self._find(repository, identifier)
        if not upload.lock.acquire(timeout=PATIENCE):
            raise Problem(
                429, "TOOMANYREQUESTS", "another request writes to this upload", headers=[("Retry-After", "5")]
            )
        try:
            if upload.closed:
                raise Problem(404, "BLOB_UPLOAD_UNKNOWN", "this upload has just been finished or cancelled")
            yield upload
        finally:
            upload.lock.release()

    def _forget(self, upload: Upload) -> None:
        with self._lock:
            self._uploads.pop(upload.id, None)
        upload.close()

    def _expected(self, request: Request, upload: Upload) -> int | None:
        """How many bytes this part has, if that is said; raise 416 for a part that is not the next one."""
        header = request.header("Content-Range")
        if not header:
            return request.length
        match = _RANGE.fullmatch(header.strip())
        if not match:
            raise Problem(400, "BLOB_UPLOAD_INVALID", "Content-Range is written START-END here, both included")
        first, last = (int(number) for number in match.groups())
        if first != upload.size:
            raise Problem(
                416,
                "BLOB_UPLOAD_INVALID",
                f"this part begins at {first}, but the next byte to come is {upload.size}",
                headers=self._where(upload),
            )
        expected = last - first + 1
        if expected < 1 or request.length not in (None, expected):
            raise Problem(400, "SIZE_INVALID", "Content-Range and Content-Length contradict each other")
        return expected

    @staticmethod
    def _where(upload: Upload) -> list[tuple[str, str]]:
        return [
            ("Location", f"/v2/{upload.repository}/blobs/uploads/{upload.id}"),
            ("Range", upload.range),
            ("Docker-Upload-UUID", upload.id),
        ]

    def _accepted(self, upload: Upload, status: int) -> Response:
        return Response(status, self._where(upload))

    @staticmethod
    def _created(repository: str, digest: str) -> Response:
        location = f"/v2/{repository}/blobs/{digest}"
        return Response(201, [("Location", location), ("Docker-Content-Digest", digest)])


class _Body:
    """A request's body as a blob's reader. It can be opened once: what was read of a socket is gone."""

    def __init__(self, body: Input, length: int, offset: int) -> None:
        if offset:
            raise ContentError("a request's body cannot be read from the middle")
        self._body = body
        self._rest = length

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._body.readinto(buffer)
        self._rest -= count
        if count == 0 and self._rest:
            raise BrokenOff(f"{self._rest} bytes did not arrive")
        return count

    def close(self) -> None:
        """The socket is the server's."""

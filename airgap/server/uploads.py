# SPDX-License-Identifier: Apache-2.0
"""Requests that upload blobs (distribution-spec "Pushing blobs").

A small blob is written directly to the store if its digest and length are known in advance. Any other upload is
collected in an unnamed temporary file, which does not survive a crash, and is written to the store when the client
sends its digest. An interrupted upload keeps the received bytes and can be continued.
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
from airgap.server.blobs import BlobHandler
from airgap.server.exchange import BinaryInput, ClientDisconnected, Request, Response
from airgap.server.problems import Problem, digest_invalid
from airgap.server.repositories import Repositories, check_digest
from airgap.store import FileRange, Reader
from airgap.store.readers import BUFFER_SIZE

#: Seconds after which an upload without requests is discarded.
IDLE_TIMEOUT = 3600.0
#: Unfinished uploads at once. Each has an open file descriptor.
MAX_UPLOADS = 512
#: Seconds that a request waits for another request to the same upload.
LOCK_TIMEOUT = 5.0
#: Bytes. Larger blobs are collected first, so that a broken connection does not lose all of them.
MAX_DIRECT_SIZE = 8 * 1024 * 1024

_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)
_BLOB_MEDIA_TYPE = "application/octet-stream"


class PendingUpload:
    """An unfinished upload. ``size`` bytes were received; ``last_used`` is the time of the last request."""

    def __init__(self, repository: str, folder: Path | None) -> None:
        self.id = str(uuid.uuid4())
        self.repository = repository
        self.size = 0
        self.last_used = time.monotonic()
        self.closed = False
        self.lock = threading.Lock()
        self._folder = folder
        self._fd = -1

    def append(self, body: BinaryInput, expected: int | None) -> None:
        """Append a body. ``expected`` is its length, if known.

        If the client disconnects, the received bytes are kept and :class:`ClientDisconnected` is raised. A body that is
        longer than announced is discarded: SIZE_INVALID.
        """
        if expected == 0:
            return
        buffer = memoryview(bytearray(min(BUFFER_SIZE, expected or BUFFER_SIZE)))
        previous_size, received = self.size, 0
        while count := body.readinto(buffer):
            if expected is not None and received + count > expected:
                self.size = previous_size
                raise Problem(400, "SIZE_INVALID", "the body is longer than Content-Range says")
            piece = buffer[:count]
            while piece:
                written = os.pwrite(self._file(), piece, self.size)
                self.size += written
                piece = piece[written:]
            received += count
            self.last_used = time.monotonic()
        if expected is not None and received != expected:
            raise ClientDisconnected(f"{received} of {expected} bytes arrived")

    def opener(self, offset: int) -> Reader:
        """Open the received bytes at an offset."""
        return FileRange(self._file(), offset, self.size - offset)

    def close(self) -> None:
        """Delete the temporary file."""
        self.closed = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def range(self) -> str:
        """The value of the Range header: first and last received byte. Registries also write ``0-0`` for none."""
        return f"0-{max(self.size - 1, 0)}"

    def _file(self) -> int:
        if self._fd < 0:
            with tempfile.TemporaryFile(prefix=".airgap-upload-", dir=self._folder) as file:
                self._fd = os.dup(file.fileno())
        return self._fd


class UploadHandler:
    """Answers requests to ``/v2/NAME/blobs/uploads/``. ``folder`` is for unfinished uploads."""

    def __init__(self, repositories: Repositories, blobs: BlobHandler, folder: Path | None = None) -> None:
        self._repositories = repositories
        self._blobs = blobs
        self._folder = folder
        self._uploads: dict[str, PendingUpload] = {}
        self._lock = threading.Lock()

    def post(self, request: Request, repository: str) -> Response:
        """Begin an upload, or complete it at once: with ``?mount=``, or with ``?digest=`` and a body."""
        self._repositories.writable_store()
        mount, digest = request.parameter("mount"), request.parameter("digest")
        if mount is not None:
            try:
                self._blobs.find(mount)
                return self._created(repository, mount)
            except Problem as problem:
                if problem.status != 404:
                    raise
        elif digest is not None:
            upload = PendingUpload(repository, self._folder)
            try:
                return self._finish(request, upload, check_digest(digest), request.length, direct=True)
            finally:
                upload.close()
        return self._accepted(self._begin(repository), 202)

    def status(self, repository: str, identifier: str) -> Response:
        """Answer how many bytes were received."""
        return self._accepted(self._find(repository, identifier), 204)

    def patch(self, request: Request, repository: str, identifier: str) -> Response:
        """Append the next chunk, with or without Content-Range."""
        with self._locked(repository, identifier) as upload:
            upload.append(request.body, self._expected_length(request, upload))
            return self._accepted(upload, 202)

    def put(self, request: Request, repository: str, identifier: str) -> Response:
        """Append the last chunk, which may be empty, and write the blob to the store."""
        digest = request.parameter("digest")
        with self._locked(repository, identifier) as upload:
            if digest is None:
                raise digest_invalid("", "an upload ends with ?digest=")
            check_digest(digest)
            expected = self._expected_length(request, upload)
            try:
                response = self._finish(request, upload, digest, expected)
            except Problem as problem:
                if problem.code == "DIGEST_INVALID":
                    self._discard(upload)
                raise
            self._discard(upload)
            return response

    def cancel(self, repository: str, identifier: str) -> Response:
        """Discard an upload."""
        with self._locked(repository, identifier) as upload:
            self._discard(upload)
        return Response(204)

    def close(self) -> None:
        """Discard all uploads."""
        with self._lock:
            uploads = list(self._uploads.values())
            self._uploads.clear()
        for upload in uploads:
            with upload.lock:
                upload.close()

    def _finish(
        self, request: Request, upload: PendingUpload, digest: str, length: int | None, *, direct: bool = False
    ) -> Response:
        store = self._repositories.writable_store()
        try:
            if upload.size == 0 and request.length is not None and (direct or request.length <= MAX_DIRECT_SIZE):
                length = request.length
                store.push(
                    Descriptor(_BLOB_MEDIA_TYPE, digest, length),
                    lambda offset: _RequestReader(request.body, length, offset),
                )
            else:
                upload.append(request.body, length)
                store.push(Descriptor(_BLOB_MEDIA_TYPE, digest, upload.size), upload.opener)
        except DigestMismatch as error:
            raise digest_invalid(digest, f"the blob is another one: {error.what}") from error
        return self._created(upload.repository, digest)

    def _begin(self, repository: str) -> PendingUpload:
        upload, now = PendingUpload(repository, self._folder), time.monotonic()
        with self._lock:
            for old in [old for old in self._uploads.values() if now - old.last_used > IDLE_TIMEOUT]:
                if old.lock.acquire(blocking=False):
                    del self._uploads[old.id]
                    old.close()
                    old.lock.release()
            if len(self._uploads) >= MAX_UPLOADS:
                raise Problem(429, "TOOMANYREQUESTS", "too many uploads are under way", headers=[("Retry-After", "60")])
            self._uploads[upload.id] = upload
        return upload

    def _find(self, repository: str, identifier: str) -> PendingUpload:
        with self._lock:
            upload = self._uploads.get(identifier)
        if upload is None or upload.repository != repository:
            raise Problem(404, "BLOB_UPLOAD_UNKNOWN", "no such upload: it is finished, cancelled or was never begun")
        upload.last_used = time.monotonic()
        return upload

    @contextmanager
    def _locked(self, repository: str, identifier: str) -> Iterator[PendingUpload]:
        self._repositories.writable_store()
        upload = self._find(repository, identifier)
        if not upload.lock.acquire(timeout=LOCK_TIMEOUT):
            raise Problem(
                429, "TOOMANYREQUESTS", "another request writes to this upload", headers=[("Retry-After", "5")]
            )
        try:
            if upload.closed:
                raise Problem(404, "BLOB_UPLOAD_UNKNOWN", "this upload has just been finished or cancelled")
            yield upload
        finally:
            upload.lock.release()

    def _discard(self, upload: PendingUpload) -> None:
        with self._lock:
            self._uploads.pop(upload.id, None)
        upload.close()

    def _expected_length(self, request: Request, upload: PendingUpload) -> int | None:
        """Return the announced length of this chunk, if any; raise 416 if it does not begin at the next byte."""
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
                headers=self._headers(upload),
            )
        expected = last - first + 1
        if expected < 1 or request.length not in (None, expected):
            raise Problem(400, "SIZE_INVALID", "Content-Range and Content-Length contradict each other")
        return expected

    @staticmethod
    def _headers(upload: PendingUpload) -> list[tuple[str, str]]:
        return [
            ("Location", f"/v2/{upload.repository}/blobs/uploads/{upload.id}"),
            ("Range", upload.range),
            ("Docker-Upload-UUID", upload.id),
        ]

    def _accepted(self, upload: PendingUpload, status: int) -> Response:
        return Response(status, self._headers(upload))

    @staticmethod
    def _created(repository: str, digest: str) -> Response:
        location = f"/v2/{repository}/blobs/{digest}"
        return Response(201, [("Location", location), ("Docker-Content-Digest", digest)])


class _RequestReader:
    """The body of a request as a reader. It can be opened only once, since a socket cannot be read twice."""

    def __init__(self, body: BinaryInput, length: int, offset: int) -> None:
        if offset:
            raise ContentError("a request's body cannot be read from the middle")
        self._body = body
        self._remaining = length

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._body.readinto(buffer)
        self._remaining -= count
        if count == 0 and self._remaining:
            raise ClientDisconnected(f"{self._remaining} bytes did not arrive")
        return count

    def close(self) -> None:
        """Do nothing: the socket belongs to the server."""

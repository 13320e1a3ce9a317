# SPDX-License-Identifier: Apache-2.0
"""Requests that upload blobs (distribution-spec "Pushing blobs").

A small blob is written directly to the store if its digest and length are known in advance. Any other upload is
collected in an unnamed temporary file, which does not survive a crash, and is written to the store when the client
sends its digest. An interrupted upload keeps the received bytes and can be continued.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap.errors import ContentError, DigestMismatch
from airgap.oci import Descriptor
from airgap.server.blobs import BlobHandler
from airgap.server.exchange import BinaryInput, ClientDisconnected, Request, Response
from airgap.server.limits import Limits
from airgap.server.pending import PendingUpload, PendingUploads
from airgap.server.problems import Problem, digest_invalid
from airgap.server.repositories import Repositories, check_digest

#: Seconds that a request waits for another request to the same upload.
LOCK_TIMEOUT = 5.0
#: Bytes. Larger blobs are collected first, so that a broken connection does not lose all of them.
MAX_DIRECT_SIZE = 8 * 1024 * 1024

_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)
_BLOB_MEDIA_TYPE = "application/octet-stream"


class UploadHandler:
    """Answers requests to ``/v2/NAME/blobs/uploads/``. ``folder`` is for unfinished uploads."""

    def __init__(self, repositories: Repositories, blobs: BlobHandler, folder: Path | None, limits: Limits) -> None:
        self._repositories = repositories
        self._blobs = blobs
        self._uploads = PendingUploads(folder, limits)

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
            upload = self._uploads.unlisted(repository, request.client)
            try:
                return self._finish(request, upload, check_digest(digest), request.length, direct=True)
            finally:
                upload.close()
        return self._accepted(self._uploads.begin(repository, request.client), 202)

    def status(self, repository: str, identifier: str) -> Response:
        """Answer how many bytes were received."""
        return self._accepted(self._uploads.find(repository, identifier), 204)

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
                    self._uploads.discard(upload)
                raise
            self._uploads.discard(upload)
            return response

    def cancel(self, repository: str, identifier: str) -> Response:
        """Discard an upload."""
        with self._locked(repository, identifier) as upload:
            self._uploads.discard(upload)
        return Response(204)

    def close(self) -> None:
        """Discard all uploads."""
        self._uploads.close()

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

    @contextmanager
    def _locked(self, repository: str, identifier: str) -> Iterator[PendingUpload]:
        self._repositories.writable_store()
        upload = self._uploads.find(repository, identifier)
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

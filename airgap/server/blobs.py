# SPDX-License-Identifier: Apache-2.0
"""Requests for blobs: pull, ranges and deletion (distribution-spec "Pulling blobs", "Deleting Blobs")."""

from __future__ import annotations

import re

from airgap.errors import ContentMissing
from airgap.oci import Descriptor
from airgap.server.exchange import BlobStream, Request, Response
from airgap.server.problems import Problem, blob_unknown
from airgap.server.repositories import Repositories, check_digest

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII)


class BlobHandler:
    """Answers requests to ``/v2/NAME/blobs/DIGEST``."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    def find(self, digest: str) -> Descriptor:
        """Return the descriptor of content in the store, of any repository; raise BLOB_UNKNOWN."""
        descriptor = self._repositories.find_blob(check_digest(digest))
        if descriptor is None:
            raise blob_unknown(digest)
        return descriptor

    def get(self, request: Request, digest: str) -> Response:
        """Answer GET and HEAD, with a single byte range if the request has one."""
        descriptor = self.find(digest)
        headers = [
            ("Content-Type", "application/octet-stream"),
            ("Docker-Content-Digest", digest),
            ("ETag", f'"{digest}"'),
            ("Accept-Ranges", "bytes"),
        ]
        if request.method == "HEAD":
            return Response(200, headers, length=descriptor.size)
        range_applies = request.header("If-Range") in ("", f'"{digest}"')
        requested_range = byte_range(request.header("Range"), descriptor.size) if range_applies else None
        start, stop = requested_range or (0, descriptor.size)
        try:
            reader = self._repositories.store.open(descriptor, start)
        except ContentMissing:
            raise blob_unknown(digest) from None
        if requested_range is None:
            return Response(200, headers, BlobStream(reader, descriptor.size))
        headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{descriptor.size}"))
        return Response(206, headers, BlobStream(reader, stop - start))

    def delete(self, repository: str, digest: str) -> Response:
        """Delete a blob, unless an image of another repository needs it."""
        store = self._repositories.deletable_store()
        self.find(digest)
        if self._repositories.needed_elsewhere(repository, digest):
            raise Problem(405, "UNSUPPORTED", "an image of another repository needs this blob", {"digest": digest})
        if self._repositories.is_manifest(digest):
            raise Problem(405, "UNSUPPORTED", "this is a manifest: delete it under manifests/", {"digest": digest})
        if not store.delete(digest):
            raise blob_unknown(digest)
        return Response(202)


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Parse a Range header with one byte range; return ``(start, stop)``, or ``None`` for any other header.

    A header that is not understood is ignored (RFC 9110, 14.2). Raises 416 for a range outside of the content.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or match.groups() == ("", ""):
        return None
    # Python refuses to convert thousands of digits, and no blob has 10^19 bytes.
    first, last = (text.lstrip("0")[:20] or text[:1] for text in match.groups())
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if first and last and int(last) < int(first):
        return None
    if start >= size:
        raise Problem(
            416, "SIZE_INVALID", "the range lies outside of the blob", headers=[("Content-Range", f"bytes */{size}")]
        )
    return start, stop

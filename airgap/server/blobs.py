# SPDX-License-Identifier: Apache-2.0
"""Blobs: pull, ranges and deletion (distribution-spec, "Pulling blobs", "Deleting Blobs")."""

from __future__ import annotations

import re

from airgap.errors import ContentMissing, NotFound
from airgap.oci import Descriptor
from airgap.server.exchange import Request, Response, Stream
from airgap.server.problems import Problem, blob_unknown
from airgap.server.repositories import Repositories, check_digest

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII)


class Blobs:
    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    def find(self, digest: str) -> Descriptor:
        """The descriptor of content in the store, whichever repository it was pushed to; raise BLOB_UNKNOWN."""
        try:
            found = self._repositories.store.resolve(check_digest(digest))
        except NotFound:
            raise blob_unknown(digest) from None
        if not self._repositories.store.exists(found):
            raise blob_unknown(digest)
        return found

    def get(self, request: Request, digest: str) -> Response:
        descriptor = self.find(digest)
        headers = [
            ("Content-Type", "application/octet-stream"),
            ("Docker-Content-Digest", digest),
            ("ETag", f'"{digest}"'),
            ("Accept-Ranges", "bytes"),
        ]
        if request.method == "HEAD":
            return Response(200, headers, length=descriptor.size)
        current = request.header("If-Range") in ("", f'"{digest}"')
        wanted = byte_range(request.header("Range"), descriptor.size) if current else None
        start, stop = wanted or (0, descriptor.size)
        try:
            reader = self._repositories.store.open(descriptor, start)
        except ContentMissing:
            raise blob_unknown(digest) from None
        if wanted is None:
            return Response(200, headers, Stream(reader, descriptor.size))
        headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{descriptor.size}"))
        return Response(206, headers, Stream(reader, stop - start))

    def delete(self, repository: str, digest: str) -> Response:
        eraser = self._repositories.eraser()
        self.find(digest)
        if self._repositories.needed_elsewhere(repository, digest):
            raise Problem(405, "UNSUPPORTED", "an image of another repository needs this blob", {"digest": digest})
        if self._repositories.is_manifest(digest):
            raise Problem(405, "UNSUPPORTED", "this is a manifest: delete it under manifests/", {"digest": digest})
        if not eraser.delete(digest):
            raise blob_unknown(digest)
        return Response(202)


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """One byte range as ``(start, stop)``; ``None`` for no range, several, or none of bytes (RFC 9110, 14.2).

    Raises 416 with the size of the content for a range that lies outside of it.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if len(first) > 19 or len(last) > 19:
        first, last = str(size), last[:19]
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if first and last and int(last) < int(first):
        return None
    if start >= size:
        raise Problem(
            416, "SIZE_INVALID", "the range lies outside of the blob", headers=[("Content-Range", f"bytes */{size}")]
        )
    return start, stop

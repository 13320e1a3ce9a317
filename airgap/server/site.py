# SPDX-License-Identifier: Apache-2.0
"""Files beside the registry, read-only: what is not below ``/v2/``."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol
from urllib.parse import unquote

from airgap.oci import Descriptor
from airgap.records import Record
from airgap.server.blobs import byte_range
from airgap.server.exchange import BlobStream, Request, Response
from airgap.server.problems import Problem
from airgap.store import Source

#: What a Host header may be: it becomes a part of the addresses in indexes.
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


class SiteFile(Record):
    """What is at a path: ``content``, or the blob ``descriptor`` of the store, or another path to ask for."""

    media_type: str
    content: bytes | None = None
    descriptor: Descriptor | None = None
    moved_to: str = ""


class Site(Protocol):
    """The files of a server, by path."""

    def find(self, path: str, base_url: str, /) -> SiteFile | None:
        """Return what is at a decoded path, without its first slash; ``base_url`` is the server's address."""


class SiteHandler:
    """Answers requests for the files of ``site``, whose blobs are in ``store``."""

    def __init__(self, site: Site, store: Source) -> None:
        self._site = site
        self._store = store

    def get(self, request: Request) -> Response:
        """Answer GET and HEAD, with a single byte range if the request has one."""
        file = self._site.find(unquote(request.path.lstrip("/")), self._base_url(request))
        if file is None:
            raise Problem(404, "UNSUPPORTED", "there is nothing at this path", {"path": request.path[:160]})
        if file.moved_to:
            return Response(301, [("Location", file.moved_to)])
        if file.content is not None:
            etag = f'"{hashlib.sha256(file.content).hexdigest()}"'
            headers = [("Content-Type", file.media_type), ("ETag", etag)]
            if file.media_type.startswith("text/html"):
                headers.append(("Content-Security-Policy", "frame-ancestors 'none'"))
            return Response(200, headers, file.content)
        descriptor = file.descriptor
        assert descriptor is not None
        headers = [("Content-Type", file.media_type), ("ETag", f'"{descriptor.digest}"'), ("Accept-Ranges", "bytes")]
        if request.method == "HEAD":
            return Response(200, headers, length=descriptor.size)
        range_applies = request.header("If-Range") in ("", f'"{descriptor.digest}"')
        requested = byte_range(request.header("Range"), descriptor.size) if range_applies else None
        start, stop = requested or (0, descriptor.size)
        body = BlobStream(self._store.open(descriptor, start), stop - start)
        if requested is None:
            return Response(200, headers, body)
        return Response(206, [*headers, ("Content-Range", f"bytes {start}-{stop - 1}/{descriptor.size}")], body)

    def _base_url(self, request: Request) -> str:
        host = request.header("Host")
        if not _HOST.fullmatch(host):
            raise Problem(400, "UNSUPPORTED", "the Host header is no name of a server")
        return f"{request.scheme}://{host}"

# SPDX-License-Identifier: Apache-2.0
"""Requests and responses: the parts of HTTP that the handlers share.

This module knows neither the distribution specification nor a store. The body of a request can only be read with
``readinto`` into a buffer of limited size.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

from airgap.errors import ContentError
from airgap.records import Record
from airgap.server.clients import client_of
from airgap.server.problems import Problem
from airgap.store import FileRange, Reader
from airgap.store.readers import BUFFER_SIZE

#: Bytes of a request's or response's body that are held in memory.
_PIECE_SIZE = 32 * 1024
_MAX_BODY_IN_MEMORY = 64 * 1024


class BinaryInput(Protocol):
    """``wsgi.input``, as far as it is used here. Any buffered binary file of Python has this method."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` or a part of it; return the number of bytes, 0 at the end."""


class ClientDisconnected(ContentError):
    """The client has closed the connection, or sent fewer bytes than announced."""


class ClientTooSlow(ClientDisconnected):
    """The client has sent less than the minimum rate."""


class Request:
    """A request, read from a WSGI environment."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.method: str = environ["REQUEST_METHOD"].upper()
        self.path: str = environ.get("PATH_INFO", "")
        self.query: dict[str, list[str]] = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        self.content_type: str = environ.get("CONTENT_TYPE") or ""
        self.scheme: str = environ.get("wsgi.url_scheme", "http")
        self.client: str = client_of(environ.get("REMOTE_ADDR", ""))
        self.body: BinaryInput = environ["wsgi.input"]
        self._environ = environ

    def header(self, name: str) -> str:
        """Return a request header, or an empty string."""
        return str(self._environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter, or ``None`` if it is missing."""
        values = self.query.get(name)
        return values[0] if values else None

    @property
    def length(self) -> int | None:
        """The announced length of the body in bytes, or ``None`` for a chunked body."""
        if self._environ.get("wsgi.input_terminated"):
            return None
        text = self._environ.get("CONTENT_LENGTH") or "0"
        if not (text.isascii() and text.isdigit()):
            raise Problem(400, "SIZE_INVALID", "Content-Length is no number")
        return int(text)

    def read(self, limit: int, folder: Path | None = None) -> RequestContent | None:
        """Return the whole body, or ``None`` if it is longer than ``limit`` bytes.

        A long body is collected in a temporary file in ``folder``: a slow client then holds no memory.
        """
        if (self.length or 0) > limit:
            return None
        content = RequestContent(folder)
        try:
            buffer = memoryview(bytearray(min(_PIECE_SIZE, limit + 1)))
            while count := self.body.readinto(buffer):
                content.append(buffer[:count])
                if content.size > limit:
                    content.close()
                    return None
        except BaseException:
            content.close()
            raise
        return content


class RequestContent:
    """The body of a request that was read to its end: in memory if it is short, otherwise in a temporary file."""

    def __init__(self, folder: Path | None) -> None:
        self.size = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_PIECE_SIZE, dir=str(folder) if folder else None)  # noqa: SIM115 - see close

    def append(self, piece: memoryview) -> None:
        """Add a piece."""
        self._file.write(piece)
        self.size += len(piece)

    def content(self) -> bytes:
        """Return all bytes."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Give the bytes up."""
        self._file.close()

    def __enter__(self) -> RequestContent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BlobStream:
    """A response body: ``length`` bytes of ``reader``, in pieces of at most 1 MiB.

    Any WSGI server can iterate over it. The gateway uses :meth:`file_range` with ``sendfile`` instead.
    """

    def __init__(self, reader: Reader, length: int) -> None:
        self.length = length
        self._reader = reader

    def file_range(self) -> FileRange | None:
        """Return the range of the file that the body is in, or ``None`` if it is not in a file."""
        if not isinstance(self._reader, FileRange):
            return None
        return FileRange(self._reader.fd, self._reader.offset, self.length)

    def pieces(self, size: int = BUFFER_SIZE) -> BlobPieces:
        """Return an iterator over the body, in pieces of at most ``size`` bytes."""
        return BlobPieces(self._reader, self.length, size)

    def __iter__(self) -> BlobPieces:
        return self.pieces()

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()


class BlobPieces:
    """Iterates over a reader. ``next`` returns bytes, as WSGI demands; :meth:`view` returns a part of one buffer."""

    def __init__(self, reader: Reader, length: int, size: int = BUFFER_SIZE) -> None:
        self._reader = reader
        self._remaining = length
        self._buffer = memoryview(bytearray(min(size, max(length, 1))))

    def view(self) -> memoryview:
        """Return the next piece, valid until the next call; empty at the end."""
        if self._remaining == 0:
            return self._buffer[:0]
        count = self._reader.readinto(self._buffer[: min(len(self._buffer), self._remaining)])
        if count == 0:
            raise ContentError(f"the blob ends {self._remaining} bytes too early")
        self._remaining -= count
        return self._buffer[:count]

    def __iter__(self) -> BlobPieces:
        return self

    def __next__(self) -> bytes:
        piece = self.view()
        if not piece:
            raise StopIteration
        return bytes(piece)


def spooled(body: bytes, folder: Path | None) -> bytes | BlobStream:
    """Return a long body as an unnamed temporary file in ``folder``, so that a slow client holds no memory.

    A short one is returned as it is, and so is one for which there is no room.
    """
    if len(body) <= _MAX_BODY_IN_MEMORY:
        return body
    try:
        with tempfile.TemporaryFile(prefix=".airgap-upload-", dir=folder) as file:
            file.write(body)
            file.flush()
            return BlobStream(FileRange(os.dup(file.fileno()), 0, len(body), owned=True), len(body))
    except OSError:
        return body


class Response(Record):
    """A response. ``length`` is its Content-Length if that differs from the body, as in the response to a HEAD."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | BlobStream = b""
    length: int | None = None

    def content_length(self) -> int:
        """Return the value of the Content-Length header."""
        if self.length is not None:
            return self.length
        return len(self.body) if isinstance(self.body, bytes) else self.body.length


def json_response(
    document: Any, *, headers: Sequence[tuple[str, str]] = (), media_type: str = "application/json"
) -> Response:
    """Return a response 200 with ``document`` as JSON."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Response(200, [("Content-Type", media_type), *headers], body)

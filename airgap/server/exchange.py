# SPDX-License-Identifier: Apache-2.0
"""One request and one answer, with the parts of HTTP that the handlers share.

Nothing here knows the distribution specification or a store. A request's body is read through
``readinto`` alone, so that nobody can ask for all of it at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs

from airgap.errors import ContentError
from airgap.records import Record
from airgap.server.problems import Problem
from airgap.store import FileRange, Reader
from airgap.store.readers import BUFFER_SIZE


class Input(Protocol):
    """``wsgi.input`` as this room needs it: what every buffered binary file of Python offers."""

    def readinto(self, buffer: memoryview, /) -> int: ...


class BrokenOff(ContentError):
    """The client went away, or sent fewer bytes than it had announced."""


class Request:
    """A WSGI environment, read once."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.method: str = environ["REQUEST_METHOD"].upper()
        self.path: str = environ.get("PATH_INFO", "")
        self.query: dict[str, list[str]] = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        self.content_type: str = environ.get("CONTENT_TYPE") or ""
        self.body: Input = environ["wsgi.input"]
        self._environ = environ

    def header(self, name: str) -> str:
        """A request header, or an empty string."""
        return str(self._environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, or ``None`` where it is absent."""
        values = self.query.get(name)
        return values[0] if values else None

    @property
    def length(self) -> int | None:
        """The announced length of the body in bytes; ``None`` when it comes in chunks of no announced sum."""
        if self._environ.get("wsgi.input_terminated"):
            return None
        text = self._environ.get("CONTENT_LENGTH") or "0"
        if not (text.isascii() and text.isdigit()):
            raise Problem(400, "SIZE_INVALID", "Content-Length is no number")
        return int(text)

    def read(self, limit: int) -> bytes | None:
        """The whole body, or ``None`` if it is longer than ``limit`` bytes."""
        if (self.length or 0) > limit:
            return None
        content = bytearray()
        buffer = memoryview(bytearray(min(BUFFER_SIZE, limit + 1)))
        while count := self.body.readinto(buffer):
            content += buffer[:count]
            if len(content) > limit:
                return None
        return bytes(content)


class Stream:
    """A blob's bytes on their way out: ``length`` bytes of ``reader``, in pieces of at most 1 MiB.

    A server that knows it may ask for :meth:`file_range` and use ``sendfile``; any other iterates.
    """

    def __init__(self, reader: Reader, length: int) -> None:
        self.length = length
        self._reader = reader

    def file_range(self) -> FileRange | None:
        """The bytes' place in a file, where they lie in one."""
        if not isinstance(self._reader, FileRange):
            return None
        return FileRange(self._reader.fd, self._reader.offset, self.length)

    def pieces(self) -> Pieces:
        return Pieces(self._reader, self.length)

    def __iter__(self) -> Pieces:
        return self.pieces()

    def close(self) -> None:
        self._reader.close()


class Pieces:
    """Iterates over a reader. ``next`` gives bytes, as WSGI asks; ``view`` gives the reused buffer's part."""

    def __init__(self, reader: Reader, length: int) -> None:
        self._reader = reader
        self._rest = length
        self._buffer = memoryview(bytearray(min(BUFFER_SIZE, max(length, 1))))

    def view(self) -> memoryview:
        """The next piece, valid until the next call; empty at the end."""
        if self._rest == 0:
            return self._buffer[:0]
        count = self._reader.readinto(self._buffer[: min(len(self._buffer), self._rest)])
        if count == 0:
            raise ContentError(f"the blob ends {self._rest} bytes too early")
        self._rest -= count
        return self._buffer[:count]

    def __iter__(self) -> Pieces:
        return self

    def __next__(self) -> bytes:
        piece = self.view()
        if not piece:
            raise StopIteration
        return bytes(piece)


class Response(Record):
    """``length`` is what Content-Length says; it may be more than the body where the request was a HEAD."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | Stream = b""
    length: int | None = None

    def content_length(self) -> int:
        if self.length is not None:
            return self.length
        return len(self.body) if isinstance(self.body, bytes) else self.body.length


def json_response(
    document: Any, *, headers: Sequence[tuple[str, str]] = (), media_type: str = "application/json"
) -> Response:
    body = json.dumps(document, separators=(",", ":")).encode()
    return Response(200, [("Content-Type", media_type), *headers], body)

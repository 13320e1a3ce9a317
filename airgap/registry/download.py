# SPDX-License-Identifier: Apache-2.0
"""A blob's body as a reader that survives a broken line: it goes on by ``Range`` where it stopped.

RFC 9110, 14: a server may ignore Range and answer 200 from the start; then what is known already is read
and thrown away. A 206 must say with ``Content-Range`` that it begins where it was asked to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airgap.errors import ContentError, ContentMissing, Interrupted, NotFound
from airgap.oci import Descriptor
from airgap.registry.client import Endpoint
from airgap.registry.http.errors import Transient, public_url
from airgap.registry.http.transport import Stream

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class BlobReader:
    """Gives exactly the bytes from ``offset`` to the descriptor's size, or raises. Not for several threads."""

    def __init__(
        self, endpoint: Endpoint, path: str, scopes: Sequence[str], descriptor: Descriptor, offset: int = 0
    ) -> None:
        self._endpoint = endpoint
        self._path = path
        self._scopes = scopes
        self._descriptor = descriptor
        self._position = offset
        self._failures = 0
        #: Cleared when the server cannot do ranges right: then it is read from the start.
        self._ranges = True
        self._stream: Stream | None = None
        if offset < descriptor.size or descriptor.size == 0:
            endpoint.retry.run(f"GET {path}", self._connect)

    def readinto(self, buffer: memoryview, /) -> int:
        rest = self._descriptor.size - self._position
        if rest == 0:
            return 0
        while True:
            try:
                if self._stream is None:
                    self._connect()
                assert self._stream is not None
                count = self._stream.readinto(buffer[: min(len(buffer), rest)])
                if count == 0 and self._endpoint.transport.aborted:
                    raise Interrupted("stopped")
                if count == 0:
                    raise Transient(f"the body ended {rest} bytes too early", where=self._where)
            except Transient as error:
                self._drop()
                self._failures += 1
                self._endpoint.retry.pause(f"GET {self._path}", self._failures, error)
                continue
            self._failures = 0
            self._position += count
            if self._position == self._descriptor.size:
                self._end()
            return count

    def close(self) -> None:
        self._drop()

    @property
    def _where(self) -> str:
        return public_url(f"{self._endpoint.base_url}{self._path}")

    def _connect(self) -> None:
        headers = {"Range": f"bytes={self._position}-"} if self._position and self._ranges else {}
        try:
            stream = self._endpoint.open(self._path, scopes=self._scopes, headers=headers, ok=(200, 206, 416))
        except NotFound as error:
            raise ContentMissing(
                f"the registry lacks {self._descriptor.digest}, which a manifest there names", where=self._where
            ) from error
        if stream.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            stream.finish()
            raise ContentError("the server re-encoded the blob, though it was asked not to", where=self._where)
        self._stream = stream
        if stream.status != 200:
            self._check_range(stream)
            return
        self._check_length(stream)
        if self._position:
            self._skip(stream)

    def _check_range(self, stream: Stream) -> None:
        match = _CONTENT_RANGE.fullmatch(stream.headers.get("Content-Range", ""))
        if stream.status == 206 and match and int(match[1]) == self._position:
            return
        self._drop()
        self._ranges = False
        raise Transient("the server answered another range than it was asked for", where=self._where)

    def _check_length(self, stream: Stream) -> None:
        length = stream.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) != self._descriptor.size:
            self._drop()
            raise ContentError(
                f"{self._descriptor.digest} has {length} bytes there, not {self._descriptor.size}", where=self._where
            )

    def _skip(self, stream: Stream) -> None:
        left, buffer = self._position, memoryview(bytearray(64 * 1024))
        while left:
            count = stream.readinto(buffer[: min(left, len(buffer))])
            if count == 0:
                self._drop()
                raise Transient("the body ended too early", where=self._where)
            left -= count

    def _end(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            # One more read notices the end of a chunked body, and a server that sends more than it said.
            surplus = stream.readinto(memoryview(bytearray(1)))
            stream.finish()
            if surplus:
                raise ContentError(
                    f"{self._descriptor.digest} is longer there than the {self._descriptor.size} bytes it should have",
                    where=self._where,
                )

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.finish()

# SPDX-License-Identifier: Apache-2.0
"""Reading the body of a blob. After a broken connection it continues with a ``Range`` request.

A server may ignore ``Range`` and answer 200 with the whole blob (RFC 9110, 14). Then the bytes that were already read
are skipped. A 206 must state in ``Content-Range`` that it begins at the requested byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airgap import limits
from airgap.errors import ContentError, ContentMissing, Interrupted, NotFound
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.registry.client import RegistryClient
from airgap.registry.http.errors import TooSlow, Transient, public_url
from airgap.registry.http.transport import StreamedResponse

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")


class BlobReader:
    """Gives exactly the bytes from an offset to the descriptor's size, or raises. Get one with :meth:`open`.

    Not thread-safe.
    """

    def __init__(
        self, client: RegistryClient, path: str, scopes: Sequence[str], descriptor: Descriptor, offset: int = 0
    ) -> None:
        self._client = client
        self._path = path
        self._scopes = scopes
        self._descriptor = descriptor
        self._position = offset
        self._failures = 0
        #: The position at which the registry was too slow, and the progress after which that is forgotten.
        self._slow_position: int | None = None
        self._enough_progress = limits.value("minimum-rate") * limits.value("rate-period")
        #: False after a wrong answer to a Range request: then the whole blob is requested.
        self._use_range = True
        self._stream: StreamedResponse | None = None

    @classmethod
    def open(
        cls, client: RegistryClient, path: str, scopes: Sequence[str], descriptor: Descriptor, offset: int = 0
    ) -> BlobReader:
        """Request the blob at ``path``, with retries; raise :class:`ContentMissing` if the registry lacks it."""
        reader = cls(client, path, scopes, descriptor, offset)
        if offset < descriptor.size or descriptor.size == 0:
            client.retry.run(f"GET {path}", reader._connect)
        return reader

    def readinto(self, buffer: memoryview, /) -> int:
        """Return the number of bytes read, 0 at the end; raise if the blob is longer or shorter than it should be."""
        remaining = self._descriptor.size - self._position
        if remaining == 0:
            return 0
        while True:
            try:
                if self._stream is None:
                    self._connect()
                assert self._stream is not None
                count = self._stream.readinto(buffer[: min(len(buffer), remaining)])
                if count == 0 and self._client.transport.aborted:
                    raise Interrupted(tr("stopped"))
                if count == 0:
                    raise Transient(
                        tr("the body ended {remaining} bytes too early", remaining=remaining), where=self._where
                    )
            except Transient as error:
                self._release()
                self._failures += 1
                if isinstance(error, TooSlow):
                    self._slow_position = self._position
                self._client.retry.pause(f"GET {self._path}", self._failures, error)
                continue
            self._position += count
            if self._slow_position is None or self._position >= self._slow_position + self._enough_progress:
                self._failures, self._slow_position = 0, None
            if self._position == self._descriptor.size:
                self._finish()
            return count

    def close(self) -> None:
        """Release the connection."""
        self._release()

    @property
    def _where(self) -> str:
        return public_url(f"{self._client.base_url}{self._path}")

    def _connect(self) -> None:
        headers = {"Range": f"bytes={self._position}-"} if self._position and self._use_range else {}
        try:
            stream = self._client.open(self._path, scopes=self._scopes, headers=headers, ok=(200, 206, 416))
        except NotFound as error:
            raise ContentMissing(
                tr("the registry lacks {digest}, which a manifest there names", digest=self._descriptor.digest),
                where=self._where,
            ) from error
        if stream.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            stream.release()
            raise ContentError(tr("the server re-encoded the blob, though it was asked not to"), where=self._where)
        self._stream = stream
        if stream.status != 200:
            self._check_range(stream)
            return
        self._check_length(stream)
        if self._position:
            self._skip(stream)

    def _check_range(self, stream: StreamedResponse) -> None:
        match = _CONTENT_RANGE.fullmatch(stream.headers.get("Content-Range", ""))
        if stream.status == 206 and match and int(match[1]) == self._position:
            return
        self._release()
        self._use_range = False
        raise Transient(tr("the server answered another range than it was asked for"), where=self._where)

    def _check_length(self, stream: StreamedResponse) -> None:
        length = stream.headers.get("Content-Length", "")
        if length.isdecimal() and (len(length) > 19 or int(length) != self._descriptor.size):
            self._release()
            raise ContentError(
                tr(
                    "{digest} has {length} bytes there, not {size}",
                    digest=self._descriptor.digest,
                    length=length,
                    size=self._descriptor.size,
                ),
                where=self._where,
            )

    def _skip(self, stream: StreamedResponse) -> None:
        """Read and discard the bytes before the position."""
        remaining, buffer = self._position, memoryview(bytearray(64 * 1024))
        while remaining:
            count = stream.readinto(buffer[: min(remaining, len(buffer))])
            if count == 0:
                self._release()
                raise Transient(tr("the body ended too early"), where=self._where)
            remaining -= count

    def _finish(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            # One more read consumes the end of a chunked body, and detects a server that sends too much.
            surplus = stream.readinto(memoryview(bytearray(1)))
            stream.release()
            if surplus:
                raise ContentError(
                    tr(
                        "{digest} is longer there than the {size} bytes it should have",
                        digest=self._descriptor.digest,
                        size=self._descriptor.size,
                    ),
                    where=self._where,
                )

    def _release(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.release()

# SPDX-License-Identifier: Apache-2.0
"""Sending one blob: POST, then one PUT with the whole body; in chunks only where a registry insists
(distribution-spec "Pushing blobs").

On plain HTTP a body that lies in a file goes by ``sendfile``, without passing through this process, and
the registry's own verification is relied on: it answers a wrong digest with 400. Everywhere else the
bytes are hashed as they are sent, and the last piece is withheld when they are not the blob.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Sequence

from airgap.errors import ContentError, DigestMismatch, RegistryError
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.registry.endpoint import Endpoint
from airgap.registry.faults import Transient, join, split
from airgap.registry.transport import Response
from airgap.store.base import FileRange, Opener, Reader, scratch

#: What a chunk holds at most, and at least: a proxy's default limit is 1 MiB.
MAX_CHUNK = 16 * 1024 * 1024
MIN_CHUNK = 1024 * 1024
#: Statuses by which registries or proxies in front of them refuse a body in one piece.
_REFUSES_WHOLE = (404, 405, 411, 413, 415, 416, 501)
#: One ``sendfile`` call sends no more, so that progress and Ctrl-C are noticed.
_SENDFILE = 4 * 1024 * 1024


class Upload:
    """The upload of one blob into one repository. ``location`` is that of a session already begun."""

    def __init__(
        self,
        endpoint: Endpoint,
        repository: str,
        scopes: Sequence[str],
        descriptor: Descriptor,
        opener: Opener,
        location: str = "",
    ) -> None:
        self._endpoint = endpoint
        self._uploads = f"/v2/{repository}/blobs/uploads/"
        self._scopes = scopes
        self._descriptor = descriptor
        self._opener = opener
        self._location = location
        #: What a registry asks a chunk to hold at least (distribution-spec, ``OCI-Chunk-Min-Length``).
        self._least = 0

    def run(self) -> None:
        """Send it, from the start again after whatever can heal."""
        self._endpoint.retry.run(f"PUT {self._descriptor.digest}", self._once)

    def _once(self) -> None:
        location, self._location = self._location or self._begin(), ""
        if self._endpoint.chunk_limit is None:
            response = self._put_whole(location)
            if response.status in (201, 204):
                self._check_answer(response)
                return
            self._check_session(response)
            if response.status not in _REFUSES_WHOLE or self._descriptor.size == 0:
                raise self._fault(response)
            location = self._begin()
            self._in_chunks(location, MAX_CHUNK, response)
        else:
            self._in_chunks(location, self._endpoint.chunk_limit, None)

    def _begin(self) -> str:
        response = self._endpoint.call(
            "POST", self._uploads, scopes=self._scopes, headers={"Content-Length": "0"}, ok=(202,)
        )
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        self._least = min(int(least), self._descriptor.size) if least.isdecimal() else 0
        return session_path(self._endpoint, response, self._uploads)

    def _check_session(self, response: Response) -> None:
        """A session that is gone (ended by a break, by time, or by a registry's restart) heals by a new one."""
        error = response.fault()
        if response.status == 404 and isinstance(error, RegistryError) and error.code == "BLOB_UPLOAD_UNKNOWN":
            raise Transient("the registry has forgotten the upload", where=error.where)

    def _put_whole(self, location: str) -> Response:
        reader = self._opener(0)
        try:
            # A sign-in that runs out in the middle is answered with 401: the body goes once more.
            response = self._send("PUT", self._with_digest(location), reader, self._descriptor.size, _Hashing(self))
            if response.status == 401:
                reader.close()
                reader = self._opener(0)
                response = self._send("PUT", self._with_digest(location), reader, self._descriptor.size, _Hashing(self))
            return response
        finally:
            reader.close()

    def _in_chunks(self, location: str, size: int, refused: Response | None) -> None:
        reader, position, hashing, signed = self._opener(0), 0, _Hashing(self), True
        size = max(size, self._least)
        try:
            while position < self._descriptor.size:
                length = min(size, self._descriptor.size - position)
                before = hashing.copy()
                response = self._send("PATCH", location, reader, length, hashing, position)
                if response.status == 401 and signed:
                    # The sign-in ran out between two chunks: this one goes once more.
                    reader.close()
                    reader, hashing, signed = self._opener(position), before, False
                    continue
                signed = True
                if response.status == 413 and size > max(MIN_CHUNK, self._least):
                    size = max(MIN_CHUNK, size // 4, self._least)
                    reader.close()
                    reader, hashing = self._opener(0), _Hashing(self)
                    location, position = self._begin(), 0
                    continue
                self._check_session(response)
                if response.status not in (202, 201, 204):
                    # A registry that takes no chunks either is better explained by its first answer.
                    raise self._fault(refused if refused is not None and response.status != 413 else response)
                position += length
                location = session_path(self._endpoint, response, location)
            response = self._endpoint.call(
                "PUT",
                self._with_digest(location),
                scopes=self._scopes,
                headers={"Content-Length": "0"},
                ok=(201, 204),
            )
        finally:
            reader.close()
        self._endpoint.chunk_limit = size
        self._check_answer(response)

    def _send(
        self, method: str, path: str, reader: Reader, length: int, hashing: _Hashing, position: int | None = None
    ) -> Response:
        headers = {"Content-Type": "application/octet-stream"}
        if position is not None:
            headers["Content-Range"] = f"{position}-{position + length - 1}"
        feed: Callable[[socket.socket], None]
        if self._endpoint.plain and isinstance(reader, FileRange):
            file = reader
            held = (position or 0) + file.length
            if held != self._descriptor.size:
                raise ContentError(f"{self.digest} has {held} bytes here, not {self._descriptor.size}")
            feed = lambda sock: _send_file(sock, file, length)  # noqa: E731 # two ways of one argument
        else:
            feed = lambda sock: hashing.send(sock, reader, length)  # noqa: E731 # two ways of one argument
        return self._endpoint.send(method, path, scopes=self._scopes, headers=headers, length=length, feed=feed)

    def _with_digest(self, location: str) -> str:
        return f"{location}{'&' if '?' in location else '?'}digest={self._descriptor.digest}"

    def _check_answer(self, response: Response) -> None:
        said = response.headers.get("Docker-Content-Digest", "")
        if said and said != self._descriptor.digest and digests.algorithm(said) == digests.algorithm(self.digest):
            raise DigestMismatch(f"the registry stored {said} for {self._descriptor.digest}")

    @property
    def digest(self) -> str:
        return self._descriptor.digest

    def _fault(self, response: Response) -> Exception:
        error = response.fault()
        if isinstance(error, DigestMismatch):
            error.where = self._descriptor.digest
            error.hint = "airgap verify BUNDLE tells whether the bundle is damaged"
        return error


class _Hashing:
    """Sends what a reader gives and hashes it on the way; the last piece leaves only if the blob is right."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._descriptor = upload._descriptor
        self._hash = digests.hasher(upload.digest)
        self._done = 0

    def copy(self) -> _Hashing:
        made = _Hashing(self._upload)
        made._hash, made._done = self._hash.copy(), self._done
        return made

    def send(self, sock: socket.socket, reader: Reader, length: int) -> None:
        buffer, left = scratch(), length
        while left:
            count = reader.readinto(buffer[: min(left, len(buffer))])
            if count == 0:
                raise ContentError(f"{self._descriptor.digest} ends after {self._done} bytes")
            self._hash.update(buffer[:count])
            self._done += count
            left -= count
            if self._done == self._descriptor.size:
                self._check_end(reader)
            sock.sendall(buffer[:count])

    def _check_end(self, reader: Reader) -> None:
        if self._hash.hexdigest() != digests.encoded(self._descriptor.digest):
            found = f"{digests.algorithm(self._descriptor.digest)}:{self._hash.hexdigest()}"
            raise DigestMismatch(f"content hashes to {found}, not to {self._descriptor.digest}; it was not sent")
        if reader.readinto(memoryview(bytearray(1))):
            raise ContentError(f"{self._descriptor.digest} is longer than the {self._done} bytes that it should have")


def _send_file(sock: socket.socket, reader: FileRange, length: int) -> None:
    # A socket with a time-out is non-blocking underneath, and sendfile then says EAGAIN.
    left, timeout = length, sock.gettimeout()
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while left:
        try:
            count = os.sendfile(sock.fileno(), reader.fd, reader.offset, min(left, _SENDFILE))
        except BlockingIOError:
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise TimeoutError("the registry takes no more bytes") from None
            continue
        if count == 0:
            raise ContentError("the file ends too early")
        reader.advance(count)
        left -= count


def session_path(endpoint: Endpoint, response: Response, asked: str) -> str:
    """The path of an upload session from a ``Location`` in whichever form a server gives it.

    Only path and query are taken: servers behind proxies name internal hosts, wrong ports and wrong
    schemes, and credentials go nowhere else than where they were meant for.
    """
    location = response.headers.get("Location")
    if not location:
        raise RegistryError("the registry began an upload and did not say where", where=response.url)
    parts = split(join(f"{endpoint.base_url}{asked}", location))
    path = parts.path
    # A proxy may show the registry under another path than its own, which the answer then names.
    name = _repository_in(asked)
    inner = path.rfind(f"/v2/{name}/blobs/uploads/") if name else -1
    if inner > 0:
        path = path[inner:]
    prefix = split(endpoint.base_url).path
    if prefix and path.startswith(f"{prefix}/"):
        path = path[len(prefix) :]
    return f"{path}?{parts.query}" if parts.query else path


def _repository_in(asked: str) -> str:
    """The repository of ``/v2/NAME/blobs/uploads/…``; empty for other paths."""
    head, found, _ = asked.partition("/blobs/uploads/")
    return head.removeprefix("/v2/") if found and head.startswith("/v2/") else ""

# SPDX-License-Identifier: Apache-2.0
"""Sending one blob: POST, then one PUT with the whole body; in chunks where a registry insists or the line
breaks; from where it stopped where the registry kept what had arrived (distribution-spec "Pushing blobs").

A body that lies in a file is sent as it lies, on plain HTTP by ``sendfile`` without passing through this process,
and the registry's own verification is relied on: it answers a wrong digest with 400. Anything else is hashed as it
is sent, and the last piece is withheld when it is not the blob.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Sequence

from airgap.errors import ContentError, DigestMismatch, RegistryError, Rejected
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.registry.client import Endpoint
from airgap.registry.http.body_sender import Hashing, send_file
from airgap.registry.http.errors import Transient, join, split
from airgap.registry.http.transport import Response
from airgap.store.protocols import Opener
from airgap.store.readers import FileRange, translate_read_errors

#: What a chunk holds at most, and at least: a proxy's default limit is 1 MiB.
MAX_CHUNK = 16 * 1024 * 1024
MIN_CHUNK = 1024 * 1024
#: Blobs of less are not worth a line in a journal: they are sent once more.
WORTH_NOTING = MIN_CHUNK
#: So many bodies of one blob may be lost whole before it is sent in chunks.
LOST_BODIES = 2
#: After so many tries in a row without an answer an upload is given up for a new one.
SILENCES = 3
#: A body that broke off later than so many bytes behind the last one has got somewhere, and is no failed attempt.
_PROGRESS = 256 * 1024
#: Statuses by which registries or proxies in front of them refuse a body in one piece.
_REFUSES_WHOLE = (404, 405, 411, 413, 415, 416, 501)
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,19})", re.ASCII)


class Upload:
    """The upload of one blob into one repository. ``location`` is that of a session just begun."""

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
        self._repository = repository
        self._uploads = f"/v2/{repository}/blobs/uploads/"
        self._scopes = scopes
        self._descriptor = descriptor
        self._opener = opener
        self._size = descriptor.size
        self._location = location
        #: Where the next byte goes, and how far the best attempt came.
        self._offset = self._best = 0
        #: Whether the registry must be asked what it has of this session.
        self._unsure = False
        #: Whether something of an earlier attempt is in this session.
        self._resumed = False
        #: What a registry asks a chunk to hold at least (distribution-spec, ``OCI-Chunk-Min-Length``).
        self._least = 0
        #: Bytes a chunk, or ``None`` for the whole body at once.
        self._chunk = endpoint.chunk_limit
        self._refused: Response | None = None
        self._hashing = Hashing(descriptor)
        #: Whether what was sent last came out of a file.
        self._from_file = False
        self._failed = 0
        self._silent = 0
        self._broke = False
        self._lost = 0

    def run(self) -> None:
        """Send it, going on after whatever can heal: at the byte that the registry has come to, or from the start."""
        if self._location:
            self._move(self._location)
        else:
            self._location = self._endpoint.sessions.find(self._repository, self._descriptor.digest)
            self._unsure = bool(self._location)
        try:
            self._persist()
        except (ContentError, Rejected):
            self._abandon()  # after anything else the session stays: the next run may go on with it
            raise
        self._endpoint.sessions.forget(self._repository, self._descriptor.digest)

    def _persist(self) -> None:
        while True:
            try:
                self._once()
                return
            except Transient as error:
                self._unsure = True
                self._failed += 1
                self._silent = self._silent + 1 if isinstance(error.__cause__, TimeoutError) else 0
                if self._silent >= SILENCES:
                    # The registry may still be waiting for the line that fell silent, and lets nobody else go on.
                    self._endpoint.sessions.forget(self._repository, self._descriptor.digest)
                    self._location, self._offset, self._silent = "", 0, 0
                self._endpoint.retry.pause(f"PUT {self._descriptor.digest}", self._failed, error)

    def _once(self) -> None:
        if self._location and self._unsure and self._ask():
            return
        self._broke = False
        if not self._location:
            self._begin()
        if self._chunk is None and self._endpoint.line is not None and self._size > self._endpoint.line:
            self._chunk = self._endpoint.line
        if self._chunk is None and self._offset == 0:
            response = self._send("PUT", self._with_digest(), self._size, None)
            if response.status in (201, 204):
                self._check_answer(response)
                return
            self._check_session(response)
            if response.status not in _REFUSES_WHOLE or self._size == 0:
                raise self._fault(response)
            self._refused, self._chunk = response, MAX_CHUNK
            self._abandon()
            self._begin()
        self._in_chunks()

    def _begin(self) -> None:
        response = self._endpoint.call(
            "POST", self._uploads, scopes=self._scopes, headers={"Content-Length": "0"}, ok=(202,)
        )
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        self._least = min(int(least), self._size) if least.isdecimal() else 0
        self._offset, self._unsure, self._resumed = 0, False, False
        self._move(session_path(self._endpoint, response, self._uploads))

    def _move(self, location: str) -> None:
        self._location = location
        if self._size >= WORTH_NOTING:
            self._endpoint.sessions.note(self._repository, self._descriptor.digest, location)

    def _ask(self) -> bool:
        """What the registry has of the session. One that is gone, or makes no sense, is left. Says whether the blob is
        there whole: then it was the answer that was lost."""
        self._unsure, self._resumed, before = False, False, self._offset
        try:
            response = self._endpoint.call(
                "GET", self._location, scopes=self._scopes, ok=(200, 202, 204, 400, 404, 405, 410, 416, 500, 501)
            )
        except Transient:
            self._unsure = True
            raise
        except RegistryError:
            response = None
        match = _RANGE.fullmatch(response.headers.get("Range", "")) if response is not None else None
        if response is None or response.status >= 400 or match is None or int(match[1]) >= max(self._size, 1):
            gone = response is not None and response.status in (404, 410)
            if gone and self._failed and self._is_there():
                return True
            self._lose(gone=gone)
            return False
        # One byte and none are written alike; if it was one, the registry will refuse to go on at 0.
        self._offset = int(match[1]) + 1 if int(match[1]) else 0
        self._resumed = self._offset > 0
        if self._offset < before + _PROGRESS:
            self._shrink()
        self._come_to(self._offset, _PROGRESS)
        if response.headers.get("Location"):
            self._location = session_path(self._endpoint, response, self._location)
        return False

    def _is_there(self) -> bool:
        path = f"/v2/{self._repository}/blobs/{self._descriptor.digest}"
        return self._endpoint.call("HEAD", path, scopes=self._scopes, ok=(200, 404)).status == 200

    def _come_to(self, offset: int, least: int) -> None:
        """Whoever comes further than before has not failed, however often the line breaks."""
        if offset >= self._best + least:
            self._failed = 0
        self._best = max(self._best, offset)

    def _lose(self, *, gone: bool) -> None:
        if gone:
            self._location = ""
        else:
            self._abandon()
        self._offset = 0
        self._shrink()

    def _shrink(self) -> None:
        """After a body that broke off and of which nothing was kept: make them as small as what does get through."""
        if not self._broke:
            return
        self._lost += 1
        smaller = None
        if self._chunk is None and self._lost >= LOST_BODIES:
            smaller = min(MAX_CHUNK, self._size // 2)
        elif self._chunk is not None and self._chunk > MIN_CHUNK:
            smaller = self._chunk // 2
        if smaller is not None and self._size > MIN_CHUNK:
            self._chunk = max(MIN_CHUNK, smaller)
            line = self._endpoint.line
            self._endpoint.line = self._chunk if line is None else min(line, self._chunk)
            self._failed = 0

    def _abandon(self) -> None:
        """Tell the registry that a session will not be used, as far as it listens."""
        location, self._location = self._location, ""
        self._endpoint.sessions.forget(self._repository, self._descriptor.digest)
        if location:
            with contextlib.suppress(RegistryError):
                self._endpoint.call("DELETE", location, scopes=self._scopes, ok=tuple(range(200, 600)))

    def _check_session(self, response: Response) -> None:
        """A session that is gone (ended by a break, by time, or by a registry's restart) heals by a new one."""
        error = response.fault()
        if response.status == 404 and isinstance(error, RegistryError) and error.code == "BLOB_UPLOAD_UNKNOWN":
            self._location = ""
            raise Transient("the registry has forgotten the upload", where=error.where)

    def _in_chunks(self) -> None:
        while self._offset < self._size:
            rest = self._size - self._offset
            length = rest if self._chunk is None else min(max(self._chunk, self._least), rest)
            response = self._send("PATCH", self._location, length, self._offset)
            if response.status == 413 and length > max(MIN_CHUNK, self._least):
                self._chunk = max(MIN_CHUNK, min(length, MAX_CHUNK * 4) // 4, self._least)
                self._refused = response
                self._abandon()
                self._begin()
                continue
            self._check_session(response)
            if response.status == 416:
                self._unsure = True
                raise Transient("the registry has come to another byte of this upload", where=response.url)
            if response.status not in (202, 201, 204):
                # A registry that takes no chunks either is better explained by its first answer.
                first = self._refused
                raise self._fault(first if first is not None and response.status != 413 else response)
            self._offset += length
            self._come_to(self._offset, 1)
            self._move(session_path(self._endpoint, response, self._location))
        if not self._from_file:
            self._hashing.at(self._size, self._opener)  # raises where what was sent, then or now, is not the blob
        response = self._send("PUT", self._with_digest(), 0, None)
        if response.status not in (201, 204):
            self._check_session(response)
            error = self._fault(response)
            if isinstance(error, DigestMismatch) and self._resumed:
                # What was there from before was not what we had thought: once more, all of it.
                self._location, self._resumed = "", False
                raise Transient(f"what the registry had kept of it was something else ({error.what})")
            raise error
        if self._refused is not None:
            self._endpoint.chunk_limit = self._chunk
        self._check_answer(response)

    def _send(self, method: str, path: str, length: int, position: int | None) -> Response:
        """Send ``length`` bytes from the offset on. A sign-in that ran out meanwhile is renewed: they go once more."""
        response = self._body(method, path, length, position)
        return self._body(method, path, length, position) if response.status == 401 else response

    def _body(self, method: str, path: str, length: int, position: int | None) -> Response:
        headers = {"Content-Type": "application/octet-stream"} if length else {}
        if position is not None:
            headers["Content-Range"] = f"{position}-{position + length - 1}"
        feed: Callable[[socket.socket], None]
        # Before anything else is read: whoever counts sees by this where the upload goes on.
        with translate_read_errors(self.digest, self._offset):
            reader = self._opener(self._offset)
        try:
            hashing = None
            self._from_file = isinstance(reader, FileRange)
            if isinstance(reader, FileRange):
                file = reader
                held = self._offset + file.length
                if held != self._size:
                    raise ContentError(f"{self.digest} has {held} bytes here, not {self._size}")
                feed = lambda sock: send_file(sock, file, length)  # noqa: E731 # two ways of one argument
            else:
                hashing = hashed = self._hashing.at(self._offset, self._opener)
                feed = lambda sock: hashed.send(sock, reader, length)  # noqa: E731 # two ways of one argument
            # After a break a connection that has carried much already is not the one to try again with.
            alone = self._lost > 0 or self._endpoint.line is not None
            response = self._endpoint.send(
                method, path, scopes=self._scopes, headers=headers, length=length, feed=feed, alone=alone
            )
        except Transient as error:
            self._broke = length > 0 and error.retry_after is None  # else nothing was sent at all
            raise
        finally:
            reader.close()
        if hashing is not None and response.status < 300:
            self._hashing = hashing
        return response

    def _with_digest(self) -> str:
        return f"{self._location}{'&' if '?' in self._location else '?'}digest={self._descriptor.digest}"

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
        return error


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

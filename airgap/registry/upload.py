# SPDX-License-Identifier: Apache-2.0
"""Uploading a blob (distribution-spec "Pushing blobs"): POST, then one PUT with the whole body.

The blob is sent in chunks if the registry demands it or the connection breaks, and an upload is continued at the byte
that the registry has received. The bytes of a file are not hashed here (short bodies go by ``sendfile`` over plain
HTTP); the registry verifies them and answers a wrong digest with 400. Other content is hashed while it is sent, and its
last piece is withheld if it does not match the digest.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import re
import socket
from collections.abc import Callable, Sequence

from airgap.errors import ContentError, DigestMismatch, RegistryError, Rejected
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.registry.chunk_size import MIN_CHUNK, ChunkSize
from airgap.registry.client import RegistryClient
from airgap.registry.http.body_sender import BlobHash, send_file
from airgap.registry.http.errors import Transient
from airgap.registry.http.transport import Response
from airgap.registry.upload_sessions import session_path
from airgap.store.protocols import Opener
from airgap.store.readers import FileRange, translate_read_errors

#: Bytes of the smallest blob whose session is recorded for a later run. Smaller ones are sent again.
_MIN_RECORDED_SIZE = MIN_CHUNK
#: Time-outs in a row after which a session is given up for a new one.
_MAX_TIMEOUTS = 3
#: Bytes by which an attempt must advance the upload to count as progress and not as a failure.
_MIN_PROGRESS = 256 * 1024
#: Statuses by which registries, or proxies in front of them, refuse a blob in one body.
_REFUSES_WHOLE = (404, 405, 411, 413, 415, 416, 501)
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,19})", re.ASCII)


class _Session(enum.Enum):
    """What is known about the upload session at the registry."""

    #: There is none yet.
    NONE = enum.auto()
    #: Every byte that it has was sent by this attempt, which knows how many they are.
    STARTED = enum.auto()
    #: It has bytes of an earlier attempt, and this attempt knows how many.
    RESUMED = enum.auto()
    #: The registry must be asked how many bytes it has.
    UNKNOWN = enum.auto()


class BlobUpload:
    """The upload of one blob to one repository. ``location`` is the path of a session that was just begun."""

    def __init__(
        self,
        client: RegistryClient,
        repository: str,
        scopes: Sequence[str],
        descriptor: Descriptor,
        opener: Opener,
        location: str = "",
    ) -> None:
        self._client = client
        self._repository = repository
        self._uploads_path = f"/v2/{repository}/blobs/uploads/"
        self._scopes = scopes
        self._descriptor = descriptor
        self._digest = descriptor.digest
        self._size = descriptor.size
        self._opener = opener
        self._session = _Session.STARTED if location else _Session.NONE
        self._location = location
        #: The position of the next byte, and the furthest position of all attempts.
        self._offset = self._furthest = 0
        self._chunk = ChunkSize(client, descriptor.size)
        #: The response that refused the whole blob or a chunk.
        self._refusal: Response | None = None
        self._hash = BlobHash(descriptor)
        self._last_reader_is_file = False
        self._failures = 0
        self._timeouts = 0

    def run(self) -> None:
        """Send the blob, and retry what can be retried: from the byte that the registry has reached, or from the start.

        Raises :class:`ContentError` for content that does not match the descriptor, :class:`Rejected` if the registry
        refuses it, and the other errors of :mod:`airgap.registry.http.errors`.
        """
        if self._location:
            self._set_location(self._location)
        else:
            self._location = self._client.sessions.find(self._repository, self._digest)
            self._session = _Session.UNKNOWN if self._location else _Session.NONE
        try:
            self._send_with_retries()
        except (ContentError, Rejected):
            self._cancel_session()  # after any other error the session is kept: the next run may continue it
            raise
        self._client.sessions.forget(self._repository, self._digest)

    def _send_with_retries(self) -> None:
        while True:
            try:
                self._attempt()
                return
            except Transient as error:
                if self._session is not _Session.NONE:
                    self._session = _Session.UNKNOWN
                self._failures += 1
                self._timeouts = self._timeouts + 1 if isinstance(error.__cause__, TimeoutError) else 0
                if self._timeouts >= _MAX_TIMEOUTS:
                    # The registry may still wait on the dead connection, and lock the session for it.
                    self._client.sessions.forget(self._repository, self._digest)
                    self._drop_session()
                    self._offset, self._timeouts = 0, 0
                self._client.retry.pause(f"PUT {self._digest}", self._failures, error)

    def _attempt(self) -> None:
        if self._session is _Session.UNKNOWN and self._blob_has_arrived():
            return
        self._chunk.body_broke = False
        if self._session is _Session.NONE:
            self._begin_session()
        self._chunk.apply_max_body()
        if self._chunk.is_whole and self._offset == 0:
            response = self._send("PUT", self._final_path(), self._size, None)
            if response.status in (201, 204):
                self._check_stored_digest(response)
                return
            self._check_session(response)
            if response.status not in _REFUSES_WHOLE or self._size == 0:
                raise self._error(response)
            self._refusal = response
            self._chunk.refuse_whole()
            self._cancel_session()
            self._begin_session()
        self._send_chunks()
        self._finish()

    def _begin_session(self) -> None:
        response = self._client.request(
            "POST", self._uploads_path, scopes=self._scopes, headers={"Content-Length": "0"}, ok=(202,)
        )
        self._chunk.set_minimum(response.headers.get("OCI-Chunk-Min-Length", ""))
        self._offset, self._session = 0, _Session.STARTED
        self._set_location(session_path(self._client, response, self._uploads_path))

    def _set_location(self, location: str) -> None:
        self._location = location
        if self._size >= _MIN_RECORDED_SIZE:
            self._client.sessions.note(self._repository, self._digest, location)

    def _blob_has_arrived(self) -> bool:
        """Ask the registry how many bytes the session has; drop the session if it is gone or the answer is unusable.

        Returns whether the registry has the whole blob already. Then only the response to the upload was lost.
        """
        previous_offset = self._offset
        try:
            response = self._client.request(
                "GET", self._location, scopes=self._scopes, ok=(200, 202, 204, 400, 404, 405, 410, 416, 500, 501)
            )
        except Transient:
            raise
        except RegistryError:
            response = None
        match = _RANGE.fullmatch(response.headers.get("Range", "")) if response is not None else None
        if response is None or response.status >= 400 or match is None or int(match[1]) >= max(self._size, 1):
            gone = response is not None and response.status in (404, 410)
            if gone and self._failures and self._blob_exists():
                return True
            if gone:
                self._drop_session()
            else:
                self._cancel_session()
            self._offset = 0
            self._shrink_after_lost_body()
            return False
        # "0-0" means one byte or none. If it is one byte, the registry will refuse a chunk at offset 0.
        self._offset = int(match[1]) + 1 if int(match[1]) else 0
        self._session = _Session.RESUMED if self._offset > 0 else _Session.STARTED
        if self._offset < previous_offset + _MIN_PROGRESS:
            self._shrink_after_lost_body()
        self._note_progress(_MIN_PROGRESS)
        if response.headers.get("Location"):
            self._location = session_path(self._client, response, self._location)
        return False

    def _blob_exists(self) -> bool:
        path = f"/v2/{self._repository}/blobs/{self._digest}"
        return self._client.request("HEAD", path, scopes=self._scopes, ok=(200, 404)).status == 200

    def _note_progress(self, least: int) -> None:
        """Forget earlier failures if the upload has come ``least`` bytes further than ever before."""
        if self._offset >= self._furthest + least:
            self._failures = 0
        self._furthest = max(self._furthest, self._offset)

    def _shrink_after_lost_body(self) -> None:
        if self._chunk.count_lost_body():
            self._failures = 0

    def _drop_session(self) -> None:
        self._session, self._location = _Session.NONE, ""

    def _cancel_session(self) -> None:
        """Drop the session, and tell the registry that it will not be used. Its answer does not matter."""
        location = self._location
        self._drop_session()
        self._client.sessions.forget(self._repository, self._digest)
        if location:
            with contextlib.suppress(RegistryError):
                self._client.request("DELETE", location, scopes=self._scopes, ok=tuple(range(200, 600)))

    def _check_session(self, response: Response) -> None:
        """Raise :class:`Transient` if the registry does not know the session any more: a new one is begun."""
        error = response.error()
        if response.status == 404 and isinstance(error, RegistryError) and error.code == "BLOB_UPLOAD_UNKNOWN":
            self._drop_session()
            raise Transient(tr("the registry has forgotten the upload"), where=error.where)

    def _send_chunks(self) -> None:
        while self._offset < self._size:
            length = self._chunk.next_length(self._size - self._offset)
            response = self._send("PATCH", self._location, length, self._offset)
            if response.status == 413 and self._chunk.reduce(length):
                self._refusal = response
                self._cancel_session()
                self._begin_session()
                continue
            self._check_session(response)
            if response.status == 416:
                self._session = _Session.UNKNOWN
                raise Transient(tr("the registry has come to another byte of this upload"), where=response.url)
            if response.status not in (202, 201, 204):
                # If the registry refuses chunks too, its first refusal explains more.
                refusal = self._refusal
                raise self._error(refusal if refusal is not None and response.status != 413 else response)
            self._offset += length
            self._note_progress(1)
            self._set_location(session_path(self._client, response, self._location))

    def _finish(self) -> None:
        """End a session to which all bytes were sent."""
        if not self._last_reader_is_file:
            self._hash.extended_to(
                self._size, self._opener
            )  # raises if the bytes of this or an earlier run are not the blob
        response = self._send("PUT", self._final_path(), 0, None)
        if response.status not in (201, 204):
            self._check_session(response)
            error = self._error(response)
            if isinstance(error, DigestMismatch) and self._session is _Session.RESUMED:
                # The bytes of the earlier attempt were not those of the blob: send all of it again.
                self._drop_session()
                raise Transient(tr("what the registry had kept of it was something else ({what})", what=error.what))
            raise error
        if self._refusal is not None:
            self._chunk.remember()
        self._check_stored_digest(response)

    def _send(self, method: str, path: str, length: int, position: int | None) -> Response:
        """Send ``length`` bytes from the offset on. If the login has expired, send them a second time."""
        response = self._send_once(method, path, length, position)
        return self._send_once(method, path, length, position) if response.status == 401 else response

    def _send_once(self, method: str, path: str, length: int, position: int | None) -> Response:
        headers = {"Content-Type": "application/octet-stream"} if length else {}
        if position is not None:
            headers["Content-Range"] = f"{position}-{position + length - 1}"
        # Open the reader before anything else is read: the progress display learns the offset by this.
        with translate_read_errors(self._digest, self._offset):
            reader = self._opener(self._offset)
        write_body: Callable[[socket.socket], None]
        blob_hash, rate = None, self._client.transport.rate
        try:
            self._last_reader_is_file = isinstance(reader, FileRange)
            if isinstance(reader, FileRange):
                size = self._offset + reader.length
                if size != self._size:
                    raise ContentError(
                        tr(
                            "{digest} has {size} bytes here, not {self_size}",
                            digest=self._digest,
                            size=size,
                            self_size=self._size,
                        )
                    )
                write_body = functools.partial(send_file, reader=reader, length=length, rate=rate)
            else:
                blob_hash = self._hash.extended_to(self._offset, self._opener)
                write_body = functools.partial(blob_hash.send, reader=reader, length=length, rate=rate)
            response = self._client.send_body(
                method,
                path,
                scopes=self._scopes,
                headers=headers,
                length=length,
                write_body=write_body,
                dedicated=self._chunk.needs_new_connection,
            )
        except Transient as error:
            # With a Retry-After nothing of the body was sent.
            self._chunk.body_broke = length > 0 and error.retry_after is None
            raise
        finally:
            reader.close()
        if blob_hash is not None and response.status < 300:
            self._hash = blob_hash
        return response

    def _final_path(self) -> str:
        return f"{self._location}{'&' if '?' in self._location else '?'}digest={self._digest}"

    def _check_stored_digest(self, response: Response) -> None:
        stored = response.headers.get("Docker-Content-Digest", "")
        if stored and stored != self._digest and digests.algorithm(stored) == digests.algorithm(self._digest):
            raise DigestMismatch(tr("the registry stored {stored} for {digest}", stored=stored, digest=self._digest))

    def _error(self, response: Response) -> Exception:
        error = response.error()
        if isinstance(error, DigestMismatch):
            error.where = self._digest
        return error

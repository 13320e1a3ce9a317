# SPDX-License-Identifier: Apache-2.0
"""Unfinished uploads: what arrived of each, and how many a client may have.

Abandoned uploads of one client take no room from others: past a limit the client's own oldest one is discarded.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from airgap.server.exchange import BinaryInput, ClientDisconnected
from airgap.server.limits import Limits
from airgap.server.problems import Problem
from airgap.store import FileRange, Reader
from airgap.store.readers import thread_buffer


class PendingUpload:
    """An unfinished upload. ``size`` bytes were received; ``last_used`` is the time of the last request.

    ``make_room`` is called with the upload and the number of bytes before they are written.
    """

    def __init__(
        self, repository: str, client: str, folder: Path | None, make_room: Callable[[PendingUpload, int], None]
    ) -> None:
        self.id = str(uuid.uuid4())
        self.repository = repository
        self.client = client
        self.size = 0
        self.last_used = time.monotonic()
        self.closed = False
        self.lock = threading.Lock()
        self._folder = folder
        self._make_room = make_room
        self._fd = -1

    def append(self, body: BinaryInput, expected: int | None) -> None:
        """Append a body. ``expected`` is its length, if known.

        If the client disconnects, the received bytes are kept and :class:`ClientDisconnected` is raised. A body that is
        longer than announced is discarded: SIZE_INVALID.
        """
        if expected == 0:
            return
        buffer = thread_buffer()
        previous_size, received = self.size, 0
        while count := body.readinto(buffer):
            if expected is not None and received + count > expected:
                self.size = previous_size
                raise Problem(400, "SIZE_INVALID", "the body is longer than Content-Range says")
            self._make_room(self, count)
            piece = buffer[:count]
            while piece:
                written = os.pwrite(self._file(), piece, self.size)
                self.size += written
                piece = piece[written:]
            received += count
            self.last_used = time.monotonic()
        if expected is not None and received != expected:
            raise ClientDisconnected(f"{received} of {expected} bytes arrived")

    def opener(self, offset: int) -> Reader:
        """Open the received bytes at an offset."""
        return FileRange(self._file(), offset, self.size - offset)

    def close(self) -> None:
        """Delete the temporary file."""
        self.closed = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def range(self) -> str:
        """The value of the Range header: first and last received byte. Registries also write ``0-0`` for none."""
        return f"0-{max(self.size - 1, 0)}"

    def _file(self) -> int:
        if self._fd < 0:
            with tempfile.TemporaryFile(prefix=".airgap-upload-", dir=self._folder) as file:
                self._fd = os.dup(file.fileno())
        return self._fd


class PendingUploads:
    """All unfinished uploads, within the limits. ``folder`` is for their temporary files."""

    def __init__(self, folder: Path | None, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._uploads: dict[str, PendingUpload] = {}
        self._lock = threading.Lock()

    def begin(self, repository: str, client: str) -> PendingUpload:
        """Begin an upload; raise 429 if the client has as many as it may and all are in use."""
        upload = self.unlisted(repository, client)
        with self._lock:
            now = time.monotonic()
            self._drop(old for old in self._sorted() if now - old.last_used > self._limits["upload-time"])
            while sum(old.client == client for old in self._uploads.values()) >= self._limits["uploads-per-client"]:
                self._drop_oldest(client)
            while len(self._uploads) >= self._limits["uploads"]:
                by_client = Counter(old.client for old in self._uploads.values())
                self._drop_oldest(by_client.most_common(1)[0][0])
            self._uploads[upload.id] = upload
        return upload

    def unlisted(self, repository: str, client: str) -> PendingUpload:
        """Return an upload that is completed by the request that begins it."""
        return PendingUpload(repository, client, self._folder, self._make_room)

    def find(self, repository: str, identifier: str) -> PendingUpload:
        """Return an upload; raise BLOB_UPLOAD_UNKNOWN."""
        with self._lock:
            upload = self._uploads.get(identifier)
        if upload is None or upload.repository != repository:
            raise Problem(404, "BLOB_UPLOAD_UNKNOWN", "no such upload: it is finished, cancelled or was never begun")
        upload.last_used = time.monotonic()
        return upload

    def discard(self, upload: PendingUpload) -> None:
        """Discard an upload whose lock the caller holds."""
        with self._lock:
            self._uploads.pop(upload.id, None)
        upload.close()

    def close(self) -> None:
        """Discard all uploads."""
        with self._lock:
            uploads = list(self._uploads.values())
            self._uploads.clear()
        for upload in uploads:
            with upload.lock:
                upload.close()

    def _make_room(self, upload: PendingUpload, count: int) -> None:
        """Discard older uploads of the client if all have too many bytes; raise 413 if that is not enough."""
        limit = self._limits["upload-bytes-per-client"]
        with self._lock:
            others = [other for other in self._sorted() if other.client == upload.client and other is not upload]
            excess = upload.size + count + sum(other.size for other in others) - limit
            if upload.size + count > limit:
                raise Problem(
                    413, "SIZE_INVALID", f"the unfinished uploads of a client have at most {limit} bytes here"
                )
            for old in others:
                if excess <= 0:
                    return
                excess -= self._drop([old])
        if excess > 0:
            raise Problem(
                429,
                "TOOMANYREQUESTS",
                f"the unfinished uploads of a client have at most {limit} bytes here",
                headers=[("Retry-After", "60")],
            )

    def _drop_oldest(self, client: str) -> None:
        own = [old for old in self._sorted() if old.client == client]
        count = len(self._uploads)
        for old in own:
            self._drop([old])
            if len(self._uploads) < count:
                return
        raise Problem(429, "TOOMANYREQUESTS", "too many uploads are under way", headers=[("Retry-After", "60")])

    def _drop(self, uploads: Iterable[PendingUpload]) -> int:
        """Discard those of ``uploads`` that no request uses; return how many bytes they had."""
        freed = 0
        for upload in list(uploads):
            if upload.lock.acquire(blocking=False):
                self._uploads.pop(upload.id, None)
                freed += upload.size
                upload.close()
                upload.lock.release()
        return freed

    def _sorted(self) -> list[PendingUpload]:
        """Return the uploads, oldest first."""
        return sorted(self._uploads.values(), key=lambda upload: upload.last_used)

# SPDX-License-Identifier: Apache-2.0
"""The upload sessions of a registry, recorded so that a later run of this program can continue them.

There is one journal for each import (target and bundle). Its first line identifies the import. Each further line
records a session that was begun, moved or ended. The journal contains paths at the registry and no credentials. A
recorded path is used only if it is an upload of the same repository. The lock of the journal prevents two concurrent
imports of one bundle to one target.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from airgap.durable import FileLocked, Journal
from airgap.errors import NotReady, OutputError, RegistryError
from airgap.events import Sink, Warned, ignore
from airgap.i18n import tr
from airgap.registry.http.errors import join_url, split_url

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient
    from airgap.registry.http.transport import Response

#: What may follow ``/v2/NAME/blobs/uploads/`` in a recorded path: it cannot lead to another resource.
_SESSION = re.compile(r"[A-Za-z0-9._~=+:-]+/?(\?[!-~]*)?", re.ASCII)
_MAX_PATH_LENGTH = 8192
#: A path that changes when it is decoded once more than this is not believed.
_MAX_DECODINGS = 4


class UploadSessions(Protocol):
    """The paths of upload sessions, by repository and digest."""

    def find(self, repository: str, digest: str, /) -> str:
        """Return the path of the session of a blob, or an empty string."""

    def note(self, repository: str, digest: str, location: str, /) -> None:
        """Record that the session of a blob was begun at, or has moved to, ``location``."""

    def forget(self, repository: str, digest: str, /) -> None:
        """Record that the session of a blob has ended."""


class NoUploadSessions:
    """Records nothing."""

    def find(self, repository: str, digest: str, /) -> str:
        """Return an empty string."""
        return ""

    def note(self, repository: str, digest: str, location: str, /) -> None:
        """Do nothing."""

    def forget(self, repository: str, digest: str, /) -> None:
        """Do nothing."""


class SessionJournal:
    """Upload sessions in a journal file. Thread-safe. Get one with :meth:`open`.

    If the disk becomes full, the journal emits :class:`Warned` once and records nothing more.
    """

    def __init__(self, path: Path, journal: Journal, emit: Sink = ignore) -> None:
        self.path = path
        self._journal = journal
        self._emit = emit
        self._failed = False
        self._lock = threading.Lock()
        self._locations: dict[tuple[str, str], str] = {}

    @classmethod
    def open(cls, path: Path, head: Mapping[str, object], emit: Sink = ignore) -> SessionJournal:
        """Open or make the journal at ``path``. ``head`` identifies the import; a journal of another one is replaced.

        Raises :class:`OutputError` if it cannot be written, :class:`NotReady` if another process holds its lock.
        """
        head = {"format": 1, **head}
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            journal = Journal.open(path)
            sessions = cls(path, journal, emit)
            try:
                if journal.entries_at_open[:1] == [head]:
                    sessions._load(journal.entries_at_open[1:])
                else:
                    journal.reset(head)
            except BaseException:
                journal.close()
                raise
        except FileLocked as error:
            raise NotReady(
                tr("another import of this bundle to this target is running"),
                where=str(path),
                hint=tr("wait for its end"),
                again=True,
            ) from error
        except OSError as error:
            raise OutputError(
                tr("what an import leaves for the next run cannot be kept here: {strerror}", strerror=error.strerror),
                where=str(path),
                hint=tr("--state DIR chooses another folder"),
            ) from error
        return sessions

    def find(self, repository: str, digest: str, /) -> str:
        """Return the path of the session of a blob, or an empty string."""
        with self._lock:
            return self._locations.get((repository, digest), "")

    def note(self, repository: str, digest: str, location: str, /) -> None:
        """Record the path of a session, unless :func:`is_upload_path` refuses it."""
        if not is_upload_path(repository, location):
            return
        with self._lock:
            self._locations[repository, digest] = location
            self._append({"repository": repository, "digest": digest, "location": location}, sync=True)

    def forget(self, repository: str, digest: str, /) -> None:
        """Record that the session of a blob has ended."""
        with self._lock:
            if self._locations.pop((repository, digest), None) is not None:
                # No sync: if the line is lost, the registry will answer that there is no such session.
                self._append({"repository": repository, "digest": digest, "location": ""}, sync=False)

    def close(self, *, whole: bool = False) -> None:
        """Close the file. Delete it if it records no session, and after a complete (``whole``) import."""
        with self._lock:
            if whole or not self._locations:
                with contextlib.suppress(OSError):
                    self._journal.remove()
            self._journal.close()

    def _load(self, entries: Iterable[Mapping[str, object]]) -> None:
        for entry in entries:
            repository, digest, location = (str(entry.get(key, "")) for key in ("repository", "digest", "location"))
            if is_upload_path(repository, location):
                self._locations[repository, digest] = location
            else:
                self._locations.pop((repository, digest), None)

    def _append(self, entry: Mapping[str, object], *, sync: bool) -> None:
        if self._failed:
            return
        try:
            self._journal.append(entry)
            if sync:
                self._journal.sync()
        except OSError as error:
            self._failed = True
            self._emit(
                Warned(
                    tr(
                        "{path}: cannot be written ({strerror}); if this import is killed, the blobs that are "
                        "on their way then begin again",
                        path=self.path,
                        strerror=error.strerror,
                    )
                )
            )


def is_upload_path(repository: str, location: str) -> bool:
    """Whether ``location`` can only be the path of an upload session of ``repository``."""
    prefix = f"/v2/{repository}/blobs/uploads/"
    if not repository or not location.startswith(prefix) or len(location) > _MAX_PATH_LENGTH:
        return False
    rest = location[len(prefix) :]
    return bool(_SESSION.fullmatch(rest)) and not rest.startswith((".", "?"))


def session_path(client: RegistryClient, response: Response, request_path: str) -> str:
    """Return the path and query of the upload session that ``response`` to ``request_path`` names.

    Host, port and scheme of its ``Location`` are ignored: servers behind proxies give internal ones, and credentials
    must only go to the address that the user gave. Raises :class:`RegistryError` if there is no ``Location``, or one
    outside the registry API: requests there would carry the password too.
    """
    location = response.headers.get("Location")
    if not location:
        raise RegistryError(tr("the registry began an upload and did not say where"), where=response.url)
    parts = split_url(join_url(f"{client.base_url}{request_path}", location))
    path = parts.path
    # A proxy may serve the registry under another path prefix than the registry itself knows.
    repository = _repository_of(request_path)
    inner = path.rfind(f"/v2/{repository}/blobs/uploads/") if repository else -1
    if inner > 0:
        path = path[inner:]
    prefix = split_url(client.base_url).path
    if prefix and path.startswith(f"{prefix}/"):
        path = path[len(prefix) :]
    if not _is_in_registry_api(path, client.base_url):
        raise RegistryError(
            tr("the registry wants an upload sent to {path}, which is no address of uploads", path=path[:200]),
            where=response.url,
            hint=tr("nothing was sent there; check which registry or proxy answers at this address"),
        )
    return f"{path}?{parts.query}" if parts.query else path


def _is_in_registry_api(path: str, base_url: str) -> bool:
    """Whether a server, however often it decodes ``path``, sees a path below ``/v2/``."""
    host = split_url(base_url).hostname or ""
    # Google's registries begin uploads beside /v2/.
    prefixes = ("/v2/", "/artifacts-uploads/") if host.endswith((".pkg.dev", "gcr.io")) else ("/v2/",)
    if not path.startswith(prefixes):
        return False
    for _ in range(_MAX_DECODINGS):
        if any(segment in (".", "..") for segment in re.split(r"[/\\;]", path)):
            return False
        decoded = unquote(path)
        if decoded == path:
            return True
        path = decoded
    return False


def _repository_of(path: str) -> str:
    """Return the repository in ``/v2/NAME/blobs/uploads/…``, or an empty string for another path."""
    head, separator, _ = path.partition("/blobs/uploads/")
    return head.removeprefix("/v2/") if separator and head.startswith("/v2/") else ""

# SPDX-License-Identifier: Apache-2.0
"""The requests of ``airgap prove``: as the node would send them, and as this program would reach the same registry.

A connection that fails is not tried again for the next image, and each blob of a repository is asked for once, however
many threads need it.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from urllib.parse import quote, urlsplit

from airgap import limits
from airgap.errors import AirgapError, Unavailable
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.prove.model import IF_FAILED, NO_FALLBACK, Endpoint
from airgap.records import Record, field, replace
from airgap.registry import Credential, Registries
from airgap.registry.client import RegistryClient
from airgap.registry.http.connect import Trust
from airgap.registry.http.errors import SpeaksPlainHttp, not_a_registry
from airgap.registry.http.transport import Response

_Answer = TypeVar("_Answer")


class Session(Record, frozen=False, eq=False):
    """Requests to one address with one trust and at most one credential. Thread-safe.

    ``connect`` returns the client; it is called once, and may ask for the scheme.
    """

    connect: Callable[[], RegistryClient]
    _client: RegistryClient | None = None
    _broken: AirgapError | None = None
    _failures: int = 0
    #: By path, repository and digest: whether it is there, or who waits for the answer.
    _blobs: dict[tuple[str, str, str], bool | Future[bool]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _connecting: threading.Lock = field(default_factory=threading.Lock)

    def manifest(self, endpoint: Endpoint, name: str) -> Manifest:
        """Return a manifest by tag or digest, verified. Raises the errors of :mod:`airgap.registry.http.errors`."""
        path = f"{endpoint.path}/{endpoint.repository}/manifests/{quote(name, safe=':')}{endpoint.query}"
        return self._run(
            lambda client: client.get(
                path,
                lambda response: _parse(response, name),
                scopes=_scopes(endpoint),
                headers={"Accept": manifests.ACCEPT},
                limit="manifest-bytes",
            )
        )

    def config(self, endpoint: Endpoint, digest: str) -> bytes:
        """Return the config of an image. Raises NotFound if it is missing."""
        path = f"{endpoint.path}/{endpoint.repository}/blobs/{digest}{endpoint.query}"
        return self._run(lambda c: c.request("GET", path, scopes=_scopes(endpoint), limit="config-bytes").body)

    def has_blob(self, endpoint: Endpoint, digest: str) -> bool:
        """Whether the repository has a blob. Each is asked for once."""
        key = endpoint.path, endpoint.repository, digest
        with self._lock:
            known = self._blobs.get(key)
            if known is None:
                waiting = self._blobs[key] = Future[bool]()
        if isinstance(known, Future):
            return known.result()
        if known is not None:
            return known
        try:
            found = self._ask_for_blob(endpoint, digest)
        except BaseException as error:
            with self._lock:
                del self._blobs[key]
            waiting.set_exception(error)
            raise
        with self._lock:
            self._blobs[key] = found  # a Future takes twenty times the memory
        waiting.set_result(found)
        return found

    def _ask_for_blob(self, endpoint: Endpoint, digest: str) -> bool:
        path = f"{endpoint.path}/{endpoint.repository}/blobs/{digest}{endpoint.query}"
        scopes = _scopes(endpoint)
        return self._run(lambda client: client.request("HEAD", path, scopes=scopes, ok=(200, 404)).status == 200)

    def _run(self, ask: Callable[[RegistryClient], _Answer]) -> _Answer:
        if self._broken is not None:
            raise copy.copy(self._broken)
        try:
            answer = ask(self._connected())
        except Unavailable as error:
            self._failures += 1
            # A failed connection fails for every image. A status such as 503 may be about one; many are not.
            if not error.status or self._failures >= limits.value("transfer-failures"):
                self._broken = error
            raise
        self._failures = 0
        return answer

    def _connected(self) -> RegistryClient:
        with self._connecting:
            if self._client is None:
                if self._broken is not None:
                    raise copy.copy(self._broken)
                try:
                    self._client = self.connect()
                except AirgapError as error:
                    self._broken = error
                    raise
            return self._client


class Sessions(Record, eq=False):
    """Returns the session for an address, always the same one. Thread-safe. ``target`` is the target's registry."""

    registries: Registries
    target: str
    _sessions: dict[object, Session] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def as_node(self, endpoint: Endpoint, credential: Credential | None) -> Session:
        """Ask as the node does: with its trust and headers, and with ``credential`` if the registry wants one."""
        key = endpoint.url, endpoint.trust, endpoint.headers, endpoint.fallback, endpoint.pings, credential

        def client(scheme: str) -> RegistryClient:
            return self.registries.client_like(
                endpoint.host, f"{scheme}://{endpoint.host}", trust=endpoint.trust, credential=credential,
                headers=dict(endpoint.headers),
            )  # fmt: skip

        def connect() -> RegistryClient:
            first = client(endpoint.scheme)
            if endpoint.fallback == NO_FALLBACK and not endpoint.pings:
                return first
            try:
                status = first.ping_anonymously().status
                if endpoint.pings and status not in (200, 401):
                    raise not_a_registry(first.base_url)
            except SpeaksPlainHttp:
                if endpoint.fallback == NO_FALLBACK:
                    raise
                return client("http")
            except Unavailable:
                if endpoint.fallback != IF_FAILED:
                    raise
                return client("http")
            return first

        return self._session(key, connect)

    @property
    def target_hosts(self) -> tuple[str, ...]:
        """The target's names: as in references, and as this program reaches it."""
        return self.target, urlsplit(self.registries.client(self.target).base_url).netloc

    def as_user(self, endpoint: Endpoint, credential: Credential | None) -> Session:
        """Ask with the trust of this program, and with the node's credential."""
        own = self._own_client(endpoint)
        return self._session(
            ("user", endpoint.url, credential),
            lambda: self.registries.client_like(endpoint.host, own.base_url, trust=own.trust, credential=credential),
        )

    def signed_in(self, endpoint: Endpoint) -> Session:
        """Ask as every other command does: with the trust and the credential of this program."""
        return self._session(("own", endpoint.url), lambda: self._own_client(endpoint))

    def at_target(self) -> Session:
        """Ask the target as every other command does."""
        return self._session("target", lambda: self.registries.client(self.target))

    def _own_client(self, endpoint: Endpoint) -> RegistryClient:
        if endpoint.host in self.target_hosts:
            return self.registries.client(self.target)
        return self.registries.client_at(endpoint.host, endpoint.url)

    def unverified(self, host: str, *, plain: bool) -> Session:
        """Ask by plain HTTP, or by HTTPS without verifying the certificate; nothing secret is sent."""
        url = f"{'http' if plain else 'https'}://{host}"
        trust = Trust(insecure=True)
        return self._session(
            ("unverified", url), lambda: self.registries.client_like(host, url, trust=trust, credential=None)
        )

    def _session(self, key: object, connect: Callable[[], RegistryClient]) -> Session:
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = Session(connect)
            return self._sessions[key]


def _scopes(endpoint: Endpoint) -> tuple[str, ...]:
    return (f"repository:{endpoint.repository}:pull",)


def _parse(response: Response, name: str) -> Manifest:
    is_digest = digests.is_digest(name)
    expected = name if is_digest else response.headers.get("Docker-Content-Digest", "")
    if digests.is_digest(expected):
        digests.verify(response.body, expected, where=name)
    manifest = manifests.parse(response.body, response.headers.get("Content-Type", ""), where=response.url)
    return replace(manifest, descriptor=replace(manifest.descriptor, digest=name)) if is_digest else manifest

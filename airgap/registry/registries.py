# SPDX-License-Identifier: Apache-2.0
"""All registries of a run: one transport, one set of credentials, and one client for each registry."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from airgap.errors import Interrupted
from airgap.events import Sink, ignore
from airgap.i18n import tr
from airgap.records import replace
from airgap.registry.auth.credentials import Credential, Credentials, OneCredential
from airgap.registry.client import RegistryClient
from airgap.registry.http.connect import Trust
from airgap.registry.http.rate import RateLimit
from airgap.registry.http.retry import RetryPolicy
from airgap.registry.http.transport import Transport
from airgap.registry.repository import Repository
from airgap.registry.settings import RegistrySettings
from airgap.registry.upload_sessions import UploadSessions

Confirm = Callable[[str, Callable[[], bool]], bool]
"""``confirm(question, is_stopped)`` asks the user yes or no; no, if ``is_stopped`` meanwhile."""


class Registries:
    """Returns clients and repositories. A context manager that closes the connections.

    ``settings`` are by registry name; ``default`` is for all other registries. ``rate`` is in bytes per second, for the
    bodies of all connections together; 0 is no limit. ``confirm`` asks the user a question.
    """

    def __init__(
        self,
        settings: Mapping[str, RegistrySettings] | None = None,
        *,
        default: RegistrySettings | None = None,
        credentials: Credentials | None = None,
        environment: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        rate: int = 0,
        emit: Sink = ignore,
        confirm: Confirm | None = None,
    ) -> None:
        environment = os.environ if environment is None else environment
        self._settings = dict(settings or {})
        self._default = default or RegistrySettings()
        self._credentials = credentials or Credentials(environment)
        self._aborted = threading.Event()
        self._retry = replace(retry or RetryPolicy(sleep=self._sleep), emit=emit)
        #: Asks, until the user has answered or the run is aborted.
        self._confirm = None if confirm is None else lambda question: confirm(question, self._aborted.is_set)
        self._transport = Transport(environment, RateLimit(rate, sleep=self._sleep) if rate else None)
        self._clients: dict[str, RegistryClient] = {}
        self._lock = threading.Lock()

    def client(self, registry: str) -> RegistryClient:
        """Return the client of a registry, always the same one."""
        with self._lock:
            if registry not in self._clients:
                settings = self._settings.get(registry, self._default)
                if not settings.ca_file and self._default.ca_file:
                    settings = replace(settings, ca_file=self._default.ca_file)
                self._clients[registry] = RegistryClient(
                    registry,
                    settings,
                    self._transport,
                    self._credentials,
                    self._retry,
                    confirm=self._confirm,
                )
            return self._clients[registry]

    def client_at(self, registry: str, base_url: str, credential: Credential | None = None) -> RegistryClient:
        """Return a new client for another address of ``registry``, with the same trust and credentials: a refused
        password is not tried again there.

        ``base_url`` is ``http://host:8081/repository/docker`` for example, or the address of the REST API.
        ``credential`` is used instead of the registry's.
        """
        main_client = self.client(registry)
        settings = replace(main_client.settings, endpoint=base_url, mirror="")
        credentials = Credentials(explicit={registry: credential}) if credential else self._credentials
        client = RegistryClient(
            registry,
            settings,
            self._transport,
            credentials,
            self._retry,
            trials=main_client.trials,
            confirm=self._confirm,
        )
        client.sessions = main_client.sessions
        return client

    def client_like(
        self,
        registry: str,
        base_url: str,
        *,
        trust: Trust,
        credential: Credential | None,
        headers: Mapping[str, str] | None = None,
    ) -> RegistryClient:
        """Return a new client that asks as another machine would: with its trust, its headers and this credential.

        No credential of this machine is used, and the addresses of its settings are not.
        """
        settings = replace(self.client(registry).settings, endpoint=base_url, mirror="")
        return RegistryClient(
            registry,
            settings,
            self._transport,
            OneCredential(credential),
            self._retry,
            own_trust=trust,
            headers=dict(headers or {}),
        )

    @property
    def requests(self) -> int:
        """How many requests were sent in this run, repeated ones and those for tokens included."""
        return self._transport.requests

    def credential(self, registry: str) -> Credential | None:
        """Return the credential that would be used for a registry. Raises :class:`airgap.errors.Unauthorized` if a file
        or a credential helper fails."""
        return self._credentials.find(registry)

    def use_sessions(self, registry: str, sessions: UploadSessions) -> None:
        """Record the uploads to a registry in ``sessions``, and continue those that it contains."""
        self.client(registry).sessions = sessions

    def repository(self, registry: str, name: str, *, push: bool = False) -> Repository:
        """Return a repository. ``push`` requests the right to write at login."""
        return Repository(self.client(registry), name, push=push)

    def download(self, url: str) -> bytes:
        """Return the content of a small public file, as ``kubectl apply -f URL`` reads it, without credentials."""
        return self.client(urlsplit(url).netloc.rpartition("@")[2]).download(url)

    def abort(self) -> None:
        """Break all connections and end all waiting, after Ctrl-C."""
        self._aborted.set()
        self._transport.abort()

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _sleep(self, seconds: float) -> None:
        if self._aborted.wait(seconds):
            raise Interrupted(tr("stopped"))

    def __enter__(self) -> Registries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

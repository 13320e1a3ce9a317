# SPDX-License-Identifier: Apache-2.0
"""All registries of a run: one transport, one set of credentials, one endpoint for each registry."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from airgap.errors import Interrupted
from airgap.events import Sink, ignore
from airgap.records import replace
from airgap.registry.auth.credentials import Credentials
from airgap.registry.client import Endpoint
from airgap.registry.http.retry import RetryPolicy
from airgap.registry.http.transport import Transport
from airgap.registry.repository import Repository
from airgap.registry.settings import RegistrySettings
from airgap.registry.upload_sessions import Sessions


class Registries:
    """Hands out repositories. ``settings`` is by registry name; ``default`` holds for all that have none."""

    def __init__(
        self,
        settings: Mapping[str, RegistrySettings] | None = None,
        *,
        default: RegistrySettings | None = None,
        credentials: Credentials | None = None,
        environment: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        emit: Sink = ignore,
    ) -> None:
        environment = os.environ if environment is None else environment
        self._settings = dict(settings or {})
        self._default = default or RegistrySettings()
        self._credentials = credentials or Credentials(environment)
        self._stopped = threading.Event()
        self._retry = replace(retry or RetryPolicy(sleep=self._sleep), emit=emit)
        self._transport = Transport(environment)
        self._endpoints: dict[str, Endpoint] = {}
        self._lock = threading.Lock()

    def endpoint(self, registry: str) -> Endpoint:
        with self._lock:
            if registry not in self._endpoints:
                settings = self._settings.get(registry, self._default)
                if not settings.ca_file and self._default.ca_file:
                    settings = replace(settings, ca_file=self._default.ca_file)
                self._endpoints[registry] = Endpoint(
                    registry, settings, self._transport, self._credentials, self._retry
                )
            return self._endpoints[registry]

    def at(self, registry: str, base_url: str) -> Endpoint:
        """``registry`` under another root of its own (``http://host:8081/repository/docker``, or where its REST
        answers), with the same trust and the same credentials."""
        here = self.endpoint(registry)
        settings = replace(here.settings, endpoint=base_url, mirror="")
        made = Endpoint(registry, settings, self._transport, self._credentials, self._retry)
        made.sessions = here.sessions
        return made

    def remember(self, registry: str, sessions: Sessions) -> None:
        """Note in ``sessions`` which uploads are under way there, and go on with those that it knows."""
        self.endpoint(registry).sessions = sessions

    def repository(self, registry: str, name: str, *, push: bool = False) -> Repository:
        """``push`` asks for the right to write when signing in."""
        return Repository(self.endpoint(registry), name, push=push)

    def download(self, url: str) -> bytes:
        """A small public file by its address, as ``kubectl apply -f URL`` reads it; no credential is sent."""
        return self.endpoint(urlsplit(url).netloc.rpartition("@")[2]).download(url)

    def abort(self) -> None:
        """Break all connections and all waiting: for Ctrl-C."""
        self._stopped.set()
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()

    def _sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise Interrupted("stopped")

    def __enter__(self) -> Registries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

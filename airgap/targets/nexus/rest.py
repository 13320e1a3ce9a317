# SPDX-License-Identifier: Apache-2.0
"""Nexus's REST API (``<base>/service/rest/v1``), as far as pushing images needs it.

The user's one credential is offered once, by asking for something that anonymous users may not have; where it is
refused nothing more is asked with it. Listings are believed only as far as the user may see.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from airgap.errors import AirgapError, RegistryError
from airgap.records import Record, field
from airgap.registry.client import RegistryClient
from airgap.registry.http.errors import public_url

#: Where the API is below Nexus's own address.
API = "/service/rest/v1"
_ANY = tuple(range(200, 600))
#: Components beyond so many pages are not counted: no edition's limit lies there.
_PAGES = 1_500


class Hosted(Record):
    """One repository as the settings have it. ``None`` is what the API did not say to this user."""

    name: str
    format: str
    type: str
    online: bool | None = None
    policy: str = ""
    latest_exempt: bool = False
    force_basic: bool | None = None
    http_port: int | None = None
    https_port: int | None = None
    subdomain: str = ""
    path_enabled: bool = False
    blob_store: str = ""

    @property
    def is_registry(self) -> bool:
        return self.format in ("docker", "oci")

    @property
    def is_shown(self) -> bool:
        """Whether this user sees its connectors and policies, or just that there is such a repository."""
        return self.force_basic is not None

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(port for port in (self.http_port, self.https_port) if port)


class Rest(Record, frozen=False, eq=False):
    """``client`` has Nexus's own address, context path included, as its base."""

    client: RegistryClient
    _signed: bool = field(default=False)

    @property
    def url(self) -> str:
        return public_url(self.client.base_url)

    def get(self, path: str, **query: str) -> Any:
        """The document, or ``None`` where this user may not see it or the server does not have it."""
        status, document = self._ask("GET", path, query)
        return document if status == 200 else None

    def status(self, path: str) -> int:
        return self._ask("GET", path, {})[0]

    def change(self, method: str, path: str, document: Any) -> None:
        """Send a change; raise :class:`RegistryError` with what Nexus has against it."""
        self.sign_in()
        response = self.client.request(
            method,
            f"{API}/{path}",
            scopes=(),
            headers={"Content-Type": "application/json"},
            body=json.dumps(document).encode(),
            ok=_ANY,
        )
        if response.status >= 300:
            error = response.error()
            said = getattr(error, "said", "")
            raise RegistryError(f"Nexus did not take {method} {path} ({response.status} {said[:300]})", where=self.url)

    def _ask(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        self.sign_in()
        return self._bare(method, path, query)

    def _bare(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        wanted = f"{API}/{path}" + (f"?{urlencode(query)}" if query else "")
        response = self.client.request(
            method, wanted, scopes=(), headers={"Accept": "application/json"}, ok=tuple(s for s in _ANY if s != 401)
        )
        try:
            return response.status, json.loads(response.body) if response.body.strip() else None
        except (ValueError, RecursionError):
            return response.status, None

    def sign_in(self) -> None:
        """Ask once for what needs a user, since lists are answered to anybody with less in them."""
        if self._signed:
            return
        self._signed = True
        credential = self.client.credentials.find(self.client.registry)
        if credential is not None and credential.username:
            self._bare("GET", "security/realms/active", {})

    @cached_property
    def answers(self) -> bool:
        """Whether a Nexus is there at all: its status page needs no user."""
        try:
            stream = self.client.transport.request("GET", f"{self.client.base_url}{API}/status", self.client.trust, {})
            response = stream.read()
        except AirgapError:
            return False
        return response.status in (200, 503) and response.headers.get_content_type() != "text/html"

    @cached_property
    def realms(self) -> list[str] | None:
        found = self.get("security/realms/active")
        return [str(one) for one in found] if isinstance(found, list) else None

    @cached_property
    def repositories(self) -> list[Hosted]:
        """Every repository that the user may see; with its settings where he is an administrator."""
        found = self.get("repositorySettings")
        if not isinstance(found, list):
            found = self.get("repositories")
        return [_read(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    @property
    def registries(self) -> list[Hosted]:
        return [one for one in self.repositories if one.is_registry]

    def quota(self, store: str) -> str:
        """What is wrong with a blob store's quota; empty where nothing is, or nobody says."""
        found = self.get(f"blobstores/{quote(store, safe='')}/quota-status")
        return str(found.get("message")) if isinstance(found, dict) and found.get("isViolation") is True else ""

    def components(self, *, most: int) -> int:
        """How many there are in all repositories that the user may browse, counted up to ``most``. Raises
        :class:`RegistryError` for a list that makes no sense."""
        count = 0
        for repository in self.repositories:
            for items in itertools.islice(pages(self._components, repository.name, what="components"), _PAGES):
                count += len(items)
                if count >= most:
                    return count
        return count

    def _components(self, query: dict[str, str]) -> Any:
        found = self.get("components", **query)
        return found if found is not None else {"items": []}  # what this user may not see


def pages(ask: Callable[[dict[str, str]], Any], repository: str, *, what: str) -> Iterator[list[Any]]:
    """The items of each page of a repository's list, as continuation tokens, passed back as they came, lead from one
    to the next; ``ask`` gives the document for a query. Raises :class:`RegistryError` for what is no page, and for a
    list that leads back to itself."""
    token, seen = "", set[str]()
    while True:
        page = ask({"repository": repository, **({"continuationToken": token} if token else {})})
        items = page.get("items") if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise RegistryError(f"Nexus's list of {what} is unreadable")
        yield items
        token = page.get("continuationToken")
        if not isinstance(token, str) or not token:
            return
        if token in seen:
            raise RegistryError(f"Nexus's list of {what} leads back to itself")
        seen.add(token)


def _read(one: dict[str, Any]) -> Hosted:
    kind = str(one.get("format"))
    parts: list[dict[str, Any]] = [
        value if isinstance(value := one.get(key), dict) else {} for key in ("storage", kind)
    ]
    storage, docker = parts
    force, online = docker.get("forceBasicAuth"), one.get("online")
    return Hosted(
        str(one.get("name")),
        kind,
        str(one.get("type")),
        online if isinstance(online, bool) else None,
        str(storage.get("writePolicy") or "").upper(),
        storage.get("latestPolicy") is True,
        force if isinstance(force, bool) else None,
        docker.get("httpPort") if isinstance(docker.get("httpPort"), int) else None,
        docker.get("httpsPort") if isinstance(docker.get("httpsPort"), int) else None,
        str(docker.get("subdomain") or ""),
        docker.get("pathEnabled") is True,
        str(storage.get("blobStoreName") or ""),
    )

# SPDX-License-Identifier: Apache-2.0
"""A client of Nexus's REST API (``<base>/service/rest/v1``), as far as pushing images needs it.

User and password are sent at once where they are known: most versions answer a request without them with 403 and no
challenge, or with a shorter list. The first request is one that proves the password; after a refusal nothing more is
requested with it. Requests go through the registry client, with its retries and its limit of requests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airgap import bounded_json
from airgap.errors import AirgapError, ContentError, RegistryError
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.targets.nexus.settings import RepositorySettings

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient
    from airgap.registry.http.transport import Response

#: Where the API is below Nexus's own address.
API = "/service/rest/v1"
#: Statuses that the callers of this module decide about. 429 is not among them: the client waits and tries again.
_STATUSES = tuple(status for status in range(200, 600) if status != 429)
_NOT_401 = tuple(status for status in _STATUSES if status != 401)
#: Pages of ten components up to the limit of any edition.
_MAX_PAGES = 10_000


class NexusRest(Record, frozen=False, eq=False):
    """The REST API of one Nexus. ``client`` has Nexus's own address as its base, with the context path."""

    client: RegistryClient
    #: Whether requests carry a user and password; known after :meth:`sign_in`.
    has_user: bool = field(default=False, init=False)
    #: The active realms as the request that signs in has returned them; ``None`` if this user may not see them.
    _realms: Any = field(default=None, init=False)
    _signed_in: bool = field(default=False, init=False)

    @property
    def url(self) -> str:
        """Nexus's own address, without anything secret."""
        from airgap.registry.http.errors import public_url

        return public_url(self.client.base_url)

    def url_of(self, path: str) -> str:
        """The address of a document below the API's root, without anything secret."""
        return f"{self.url}{API}/{path}"

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        document: Any = None,
        ok: Sequence[int] = (200,),
    ) -> Response:
        """Send one request, with ``document`` as JSON if there is one. Raises the client's error for other statuses."""
        headers = {"Accept": "application/json"} if document is None else {"Content-Type": "application/json"}
        body = None if document is None else json.dumps(document).encode()
        target = f"{API}/{path}" + (f"?{urlencode(query)}" if query else "")
        return self.client.request(method, target, scopes=(), headers=headers, body=body, ok=ok, limit="rest-bytes")

    def sign_in(self) -> None:
        """Sign in, if there is a user; only once. Raises :class:`airgap.errors.Unauthorized` if that is refused."""
        if self._signed_in:
            return
        self.has_user = self.answers and self.client.sign_in_at_once()
        if self.has_user:
            response = self.call("GET", "security/realms/active", ok=_NOT_401)
            self._realms = _json_of(response) if response.status == 200 else None
        self._signed_in = True

    def get(self, path: str, **query: str) -> Any:
        """Return a document; ``None`` if this user may not see it or the server does not have it."""
        self.sign_in()
        response = self.call("GET", path, query, ok=_NOT_401)
        return _json_of(response) if response.status == 200 else None

    def status(self, path: str) -> int:
        """Return the status of a GET."""
        self.sign_in()
        return self.call("GET", path, ok=_NOT_401).status

    def change(self, method: str, path: str, document: Any) -> None:
        """Send a change. Raises :class:`RegistryError` with the reason that Nexus gives for refusing it."""
        self.sign_in()
        response = self.call(method, path, document=document, ok=_STATUSES)
        if response.status >= 300:
            error = response.error()
            said = error.said if isinstance(error, RegistryError) else ""
            raise RegistryError(
                tr(
                    "Nexus did not take {method} {path} ({status} {said})",
                    method=method,
                    path=path,
                    status=response.status,
                    said=said[:300],
                ),
                where=self.url,
            )

    def pages(self, path: str, repository: str) -> Iterator[list[Any]]:
        """Yield the items of each page of a repository's list. A list that this user may not see has no items.

        Raises :class:`RegistryError` as :func:`read_pages` does.
        """

        def read(query: dict[str, str]) -> Any:
            page = self.get(path, **query)
            return {"items": []} if page is None else page

        return read_pages(read, repository, what=path)

    @cached_property
    def status_answer(self) -> Response | AirgapError:
        """The response to the API's status, which needs no user, or the error of the connection."""
        try:
            return self.client.request_url("GET", self.url_of("status"))
        except AirgapError as error:
            return error

    @property
    def answers(self) -> bool:
        """Whether a Nexus answers at this address."""
        return not isinstance(self.status_answer, AirgapError) and is_status(self.status_answer)

    @cached_property
    def refusal(self) -> AirgapError | None:
        """The error of the sign-in at this address; ``None`` if it went well or there is no user."""
        try:
            self.sign_in()
        except AirgapError as error:
            return error
        return None

    @cached_property
    def realms(self) -> list[str] | None:
        """The active realms, in their order; ``None`` if this user may not see them."""
        self.sign_in()
        names = self._realms
        return [str(name) for name in names] if isinstance(names, list) else None

    @cached_property
    def repositories(self) -> list[RepositorySettings]:
        """The repositories that the user may see, with their settings if the user is an administrator."""
        documents = self.get("repositorySettings")
        if not isinstance(documents, list):
            documents = self.get("repositories")
        if not isinstance(documents, list):
            return []
        return [RepositorySettings.from_json(document) for document in documents if isinstance(document, dict)]

    @property
    def registries(self) -> list[RepositorySettings]:
        """Those of :attr:`repositories` that hold container images."""
        return [repository for repository in self.repositories if repository.is_registry]

    def quota_violation(self, blob_store: str) -> str:
        """Nexus's message if a blob store is over its quota; else empty, also if this user may not see it."""
        status = self.get(f"blobstores/{quote(blob_store, safe='')}/quota-status")
        return str(status.get("message")) if isinstance(status, dict) and status.get("isViolation") is True else ""

    def count_components(self, *, limit: int, max_pages: int = 0) -> int | None:
        """Count the components of all repositories that the user may browse; stops once there are ``limit``.

        Returns ``None`` if that takes more than ``max_pages`` requests; 0 is enough for the limit of any edition.
        Raises :class:`RegistryError` as :meth:`pages` does.
        """
        count = pages = 0
        for repository in self.repositories:
            for items in self.pages("components", repository.name):
                count += len(items)
                pages += 1
                if count >= limit:
                    return count
                if pages >= (max_pages or _MAX_PAGES):
                    return None
        return count


def is_status(response: Response) -> bool:
    """Whether an answer of ``/service/rest/v1/status`` is Nexus's: 503 is a Nexus that takes no requests now."""
    return response.status in (200, 503) and response.headers.get_content_type() != "text/html"


def read_pages(read: Callable[[dict[str, str]], Any], repository: str, *, what: str) -> Iterator[list[Any]]:
    """Yield the items of each page of a repository's list, by its continuation tokens.

    ``read`` returns the document for a query. Raises :class:`RegistryError` for a page that is unreadable, and for a
    list that does not end, as :class:`airgap.registry.pagination.ListGuard` does; ``what`` names the list in errors.
    """
    from airgap.registry.pagination import ListGuard

    guard, token = ListGuard(what), ""
    while True:
        page = read({"repository": repository, **({"continuationToken": token} if token else {})})
        items = page.get("items") if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise RegistryError(tr("Nexus's list of {what} is unreadable", what=what))
        next_token = page.get("continuationToken")
        token = next_token if isinstance(next_token, str) else ""
        guard.check_page(map(_key_of, items), token)
        yield items
        if not token:
            return


def _key_of(item: object) -> str:
    """Return what tells an item of a list apart from others."""
    if not isinstance(item, dict):
        return ""
    return str(item.get("id") or [item.get(key) for key in ("group", "name", "version", "path")])


def _json_of(response: Response) -> Any:
    try:
        return bounded_json.parse(response.body, "rest") if response.body.strip() else None
    except bounded_json.TooLarge as error:
        raise RegistryError(error.what, where=response.url, hint=error.hint) from error
    except ContentError:
        return None

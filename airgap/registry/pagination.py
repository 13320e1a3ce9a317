# SPDX-License-Identifier: Apache-2.0
"""Lists that a registry returns in pages: tags, referrers, and the catalog of repositories.

The catalog is not part of the distribution specification since 1.0. Registries that have it follow Docker's, and many
allow it to administrators only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airgap import bounded_json
from airgap.errors import ContentError, NotFound, RegistryError, Rejected, Unauthorized
from airgap.i18n import tr
from airgap.registry.http.errors import join_url, public_url, split_url

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient
    from airgap.registry.http.transport import Response

#: The parameters of a link (RFC 8288, 3). Quoted values may contain commas.
_PARAMETERS = re.compile(r"(?:[^\",]|\"[^\"]*\")*")
_NEXT = re.compile(r"\brel\s*=\s*\"?next\b", re.IGNORECASE)
#: Characters of a ``Link`` header at most. It contains an address, and few servers accept one of more than 8,000.
_MAX_LINK_LENGTH = 16_384


def pages(client: RegistryClient, path: str, scopes: Sequence[str], *, ok: Sequence[int]) -> Iterator[Response]:
    """Request each page of a list, following ``Link`` headers. The iteration ends at a page that was seen before."""
    seen = set[str]()
    while path and path not in seen:
        seen.add(path)
        response = client.request("GET", path, scopes=scopes, ok=ok, limit="list-page-bytes")
        yield response
        header = ", ".join(response.headers.get_all("Link") or ())
        if len(header) > _MAX_LINK_LENGTH:
            raise RegistryError(
                tr(
                    "the Link header of a list has {header_count:,} characters; at most {max_link_length:,} "
                    "are accepted",
                    header_count=len(header),
                    max_link_length=_MAX_LINK_LENGTH,
                ),
                where=public_url(join_url(client.base_url, path)),
            )
        target = next((target for target, parameters in _links(header) if _NEXT.search(parameters)), "")
        # Use only the query of a Link: behind a proxy, some servers give a wrong path.
        query = split_url(join_url(client.base_url, target)).query if target else ""
        path = f"{path.partition('?')[0]}?{query}" if query else ""


def _links(header: str) -> Iterator[tuple[str, str]]:
    """Yield the target and the parameters of each link (RFC 8288, 3)."""
    end = 0
    while (begin := header.find("<", end)) >= 0 and (close := header.find(">", begin)) >= 0:
        parameters = _PARAMETERS.match(header, close + 1)
        end = parameters.end() if parameters else close + 1
        yield header[begin + 1 : close], header[close + 1 : end]


def parse_page(response: Response, key: str, *, where: str) -> list[str]:
    """Return the list under ``key`` of a page, ``null`` as an empty one; raise :class:`RegistryError` if invalid."""
    try:
        items = bounded_json.parse(response.body, "list-page")[key] or []
        if not isinstance(items, list):
            raise TypeError("no list")
        return list(map(str, items))
    except (KeyError, TypeError) as error:
        raise RegistryError(tr("the list of {key} is unreadable", key=key), where=where) from error
    except ContentError as error:
        raise RegistryError(
            tr("the list of {key} is unreadable ({reason})", key=key, reason=error.what), where=where, hint=error.hint
        ) from error


def list_repositories(client: RegistryClient) -> list[str]:
    """Return every repository that this user may see; raise the registry's refusal if it lists none."""
    repositories: list[str] = []
    where = public_url(client.base_url)
    try:
        for response in pages(client, "/v2/_catalog", ("registry:catalog:*",), ok=(200,)):
            repositories += parse_page(response, "repositories", where=where)
    except (NotFound, Rejected, Unauthorized) as error:
        error.what = tr("the registry does not list its repositories ({what})", what=error.what)
        raise
    return list(dict.fromkeys(repositories))

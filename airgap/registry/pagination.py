# SPDX-License-Identifier: Apache-2.0
"""Lists that a registry gives page by page: tags, referrers, and the catalog of its repositories.

The catalog is no part of the distribution specification since 1.0; registries that have it answer as Docker's does,
and many refuse it to all but administrators.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airgap.errors import NotFound, RegistryError, Rejected, Unauthorized
from airgap.registry.http.errors import join, public_url, split

if TYPE_CHECKING:
    from airgap.registry.client import Endpoint
    from airgap.registry.http.transport import Response

#: Parameters of a link (RFC 8288, 3); commas may stand in quoted values.
_PARAMETERS = re.compile(r"(?:[^\",]|\"[^\"]*\")*")
_NEXT = re.compile(r"\brel\s*=\s*\"?next\b", re.IGNORECASE)
#: Characters of a ``Link`` header that are read; a link is an address, and few servers take one of more than 8,000.
_LONGEST_LINK = 16_384


def pages(endpoint: Endpoint, path: str, scopes: Sequence[str], *, ok: Sequence[int]) -> Iterator[Response]:
    """Each page's answer, as ``Link`` leads from one to the next; a list that leads back to itself ends."""
    seen = set[str]()
    while path and path not in seen:
        seen.add(path)
        response = endpoint.call("GET", path, scopes=scopes, ok=ok)
        yield response
        header = ", ".join(response.headers.get_all("Link") or ())
        if len(header) > _LONGEST_LINK:
            raise RegistryError(
                f"the Link header of a list has {len(header):,} characters; at most {_LONGEST_LINK:,} are accepted",
                where=public_url(join(endpoint.base_url, path)),
            )
        target = next((target for target, parameters in _links(header) if _NEXT.search(parameters)), "")
        # Only the query is taken from a Link: its path is wrong on some servers behind proxies.
        query = split(join(endpoint.base_url, target)).query if target else ""
        path = f"{path.partition('?')[0]}?{query}" if query else ""


def _links(header: str) -> Iterator[tuple[str, str]]:
    """The target and the parameters of each link (RFC 8288, 3)."""
    end = 0
    while (begin := header.find("<", end)) >= 0 and (close := header.find(">", begin)) >= 0:
        parameters = _PARAMETERS.match(header, close + 1)
        end = parameters.end() if parameters else close + 1
        yield header[begin + 1 : close], header[close + 1 : end]


def listed(response: Response, key: str, *, where: str) -> list[str]:
    """The list under ``key`` of one page, ``null`` being an empty one; raise :class:`RegistryError` for nonsense."""
    try:
        page = json.loads(response.body)[key] or []
        if not isinstance(page, list):
            raise TypeError("no list")
        return list(map(str, page))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistryError(f"the list of {key} is unreadable", where=where) from error


def catalog(endpoint: Endpoint) -> list[str]:
    """Every repository of the registry that this sign-in may see. Raises what the registry's refusal is."""
    found: list[str] = []
    where = public_url(endpoint.base_url)
    try:
        for response in pages(endpoint, "/v2/_catalog", ("registry:catalog:*",), ok=(200,)):
            found += listed(response, "repositories", where=where)
    except (NotFound, Rejected, Unauthorized) as error:
        error.what = f"the registry does not list its repositories ({error.what})"
        raise
    return list(dict.fromkeys(found))

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

# RFC 8288, 3: a target in angle brackets, then parameters whose quoted values may hold commas.
_LINK = re.compile(r"<([^>]*)>((?:[^\",]|\"[^\"]*\")*)")
_NEXT = re.compile(r"\brel\s*=\s*\"?next\b", re.IGNORECASE)


def pages(endpoint: Endpoint, path: str, scopes: Sequence[str], *, ok: Sequence[int]) -> Iterator[Response]:
    """Each page's answer, as ``Link`` leads from one to the next; a list that leads back to itself ends."""
    seen = set[str]()
    while path and path not in seen:
        seen.add(path)
        response = endpoint.call("GET", path, scopes=scopes, ok=ok)
        yield response
        links = _LINK.findall(", ".join(response.headers.get_all("Link") or ()))
        target = next((target for target, rest in links if _NEXT.search(rest)), "")
        # Only the query is taken from a Link: its path is wrong on some servers behind proxies.
        query = split(join(endpoint.base_url, target)).query if target else ""
        path = f"{path.partition('?')[0]}?{query}" if query else ""


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

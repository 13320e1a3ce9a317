# SPDX-License-Identifier: Apache-2.0
"""Lists that a registry returns in pages: tags, referrers, and the catalog of repositories.

The catalog is not part of the distribution specification since 1.0. Registries that have it follow Docker's, and many
allow it to administrators only.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from airgap import bounded_json, limits
from airgap.errors import ContentError, NotFound, RegistryError, Rejected, Unauthorized
from airgap.i18n import tr
from airgap.registry.http.errors import join_url, public_url, split_url

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient
    from airgap.registry.http.transport import Response

Entry = TypeVar("Entry")

#: The parameters of a link (RFC 8288, 3). Quoted values may contain commas.
_PARAMETERS = re.compile(r"(?:[^\",]|\"[^\"]*\")*")
_NEXT = re.compile(r"\brel\s*=\s*\"?next\b", re.IGNORECASE)
#: Characters of a ``Link`` header at most. It contains an address, and few servers accept one of more than 8,000.
_MAX_LINK_LENGTH = 16_384


class ListGuard:
    """Ends a list that does not end by itself. ``what`` names the list in errors.

    Counts pages, entries, their characters and the time; a list that leads back to itself, and a page that brings
    nothing new and is not the last, are errors too.
    """

    def __init__(self, what: str, *, where: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._where = where or None
        self._clock = clock
        self._deadline = clock() + limits.value("list-time")
        self._pages = self._characters = 0
        #: Hashes: they take less memory than the entries, which may be long.
        self._entries = set[int]()
        self._next = set[str]()

    def check_page(self, keys: Iterable[str], next_page: str) -> None:
        """Count a page with entries of these ``keys``. ``next_page`` says where the next one is, "" for the last.

        Raises :class:`RegistryError`.
        """
        before = len(self._entries)
        for key in keys:
            self._entries.add(hash(key))
            self._characters += len(key)
        self._pages += 1
        for name, found in (
            ("list-pages", self._pages + bool(next_page)),
            ("list-entries", len(self._entries)),
            ("list-characters", self._characters),
        ):
            if found > limits.value(name):
                raise self._error(name)
        if next_page in self._next:
            raise RegistryError(tr("the list of {what} leads back to itself", what=self._what), where=self._where)
        if next_page and len(self._entries) == before:
            raise RegistryError(
                tr("the list of {what} has a page that brings nothing new, and goes on", what=self._what),
                where=self._where,
            )
        if next_page and self._clock() > self._deadline:
            raise self._error("list-time")
        self._next.add(next_page)

    def _error(self, name: str) -> RegistryError:
        most = limits.value(name)
        texts = {
            "list-pages": tr("the list of {what} has more than {most:,} pages", what=self._what, most=most),
            "list-entries": tr("the list of {what} has more than {most:,} entries", what=self._what, most=most),
            "list-characters": tr(
                "the entries of the list of {what} have more than {most:,} characters", what=self._what, most=most
            ),
            "list-time": tr("the list of {what} was not complete after {most:,} s", what=self._what, most=most),
        }
        return RegistryError(texts[name], where=self._where, hint=limits.hint(name))


def read_list(
    client: RegistryClient,
    path: str,
    scopes: Sequence[str],
    parse: Callable[[Response], list[Entry]],
    *,
    what: str,
    key: Callable[[Entry], str],
    ok: Sequence[int] = (200,),
) -> list[Entry]:
    """Return the entries of all pages of a list, following ``Link`` headers; ``parse`` returns those of one page.

    ``what`` names the list in errors, ``key`` tells entries apart. Raises :class:`RegistryError` as
    :class:`ListGuard` does, and what the requests and ``parse`` raise.
    """
    guard, entries = ListGuard(what, where=public_url(join_url(client.base_url, path))), list[Entry]()
    while path:
        read_page = functools.partial(_read_page, client, path, parse)
        page, path = client.get(path, read_page, scopes=scopes, ok=ok, limit="list-page-bytes")
        guard.check_page(map(key, page), path)
        entries += page
    return entries


def _read_page(
    client: RegistryClient, path: str, parse: Callable[[Response], list[Entry]], response: Response
) -> tuple[list[Entry], str]:
    return parse(response), _next_path(client, path, response)


def _next_path(client: RegistryClient, path: str, response: Response) -> str:
    """Return the path of the page after ``response``, an empty string if it is the last one."""
    header = ", ".join(response.headers.get_all("Link") or ())
    if len(header) > _MAX_LINK_LENGTH:
        raise RegistryError(
            tr(
                "the Link header of a list has {header_count:,} characters; at most {max_link_length:,} are accepted",
                header_count=len(header),
                max_link_length=_MAX_LINK_LENGTH,
            ),
            where=public_url(join_url(client.base_url, path)),
        )
    target = next((target for target, parameters in _links(header) if _NEXT.search(parameters)), "")
    # Use only the query of a Link: behind a proxy, some servers give a wrong path.
    query = split_url(join_url(client.base_url, target)).query if target else ""
    return f"{path.partition('?')[0]}?{query}" if query else ""


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
    where = public_url(client.base_url)
    try:
        repositories = read_list(
            client,
            "/v2/_catalog",
            ("registry:catalog:*",),
            lambda response: parse_page(response, "repositories", where=where),
            what="repositories",
            key=str,
        )
    except (NotFound, Rejected, Unauthorized) as error:
        error.what = tr("the registry does not list its repositories ({what})", what=error.what)
        raise
    return list(dict.fromkeys(repositories))

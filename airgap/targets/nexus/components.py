# SPDX-License-Identifier: Apache-2.0
"""What a Nexus lists of one hosted repository by its REST API: one component a tag, and the manifests without one.

Lists are answered to anybody with less in them, so the user signs in first. It refuses to guess which hosted repository
is meant where several could be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlencode

from airgap.errors import NotFound, NotReady, RegistryError, Unauthorized, UsageError
from airgap.oci import dates
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.registry.client import RegistryClient
from airgap.registry.http.errors import public_url
from airgap.targets.nexus.rest import API, Rest, pages

_BY_DIGEST = re.compile(r"/?v2/(.+)/manifests/([a-z0-9]+:[0-9a-f]{32,})")


class Component(Record):
    """One tag; ``digest`` is empty and ``modified`` ``None`` where Nexus does not say."""

    image: str
    tag: str
    digest: str = ""
    media_type: str = ""
    modified: datetime | None = None


def split_address(url: str) -> tuple[str, str]:
    """``https://nexus/repository/docker`` gives Nexus's own address and the hosted repository, which may be empty.

    Raises :class:`UsageError` for what is no http or https address.
    """
    base, _, name = url.rstrip("/").partition("/repository/")
    if not re.match(r"https?://[^/@\s]+", base) or "/" in name or "@" in base:
        raise UsageError(
            "--nexus-source is Nexus's own address, without a user in it",
            hint="such as https://nexus.example:8443, or https://nexus.example:8443/repository/NAME for one of its "
            "repositories",
        )
    return base.removesuffix(API), name.partition("/")[0]


class Components(Record, frozen=False, eq=False):
    """``client`` has Nexus's own address, context path included, as its base; ``repository`` is the hosted one."""

    client: RegistryClient
    repository: str = ""

    def find_repository(self, registry: str, prefix: str) -> str:
        """Sign in, and say which repository lies behind a registry's address. Raises :class:`NotReady` for none and
        :class:`UsageError` where only the user can know."""
        Rest(self.client).sign_in()
        found = [one for one in self._document("repositories", {}) if isinstance(one, dict)]
        known = {str(one.get("name")): one for one in found if one.get("format") in ("docker", "oci")}
        if self.repository:
            if self.repository not in known:
                raise NotReady(
                    f"Nexus shows this user no docker repository {self.repository}",
                    where=public_url(self.client.base_url),
                    hint=_listed(known) or "the user needs the privilege to browse it",
                )
            return self.repository
        by_port = self._by_port(registry)
        first = prefix.partition("/")[0]
        if by_port in known or first in known:
            self.repository = by_port if by_port in known else first
        elif len(known) == 1:
            self.repository = next(iter(known))
        else:
            raise UsageError(
                f"which of Nexus's docker repositories is behind {registry}?" if known
                else "Nexus shows this user no docker repository",
                where=public_url(self.client.base_url),
                hint=_listed(known) or "the user needs the privilege to browse it",
            )  # fmt: skip
        return self.repository

    def components(self) -> Iterator[Component]:
        """Every tag, in Nexus's order."""
        for item in self._items("components"):
            image, tag = item.get("name"), item.get("version")
            assets = item.get("assets")
            asset = assets[0] if isinstance(assets, list) and assets and isinstance(assets[0], dict) else {}
            if isinstance(image, str) and isinstance(tag, str) and image and tag:
                yield Component(image, tag, _digest(asset), str(asset.get("contentType") or ""), _date(asset))

    def by_digest(self) -> Iterator[tuple[str, str]]:
        """Image and digest of every manifest that is kept by its digest, whether a tag has it or not."""
        for asset in self._items("assets"):
            match = _BY_DIGEST.fullmatch(unquote(str(asset.get("path") or "")))
            if match:
                yield match[1], match[2]

    def _items(self, what: str) -> Iterator[dict[str, Any]]:
        try:
            for items in pages(lambda query: self._document(what, query), self.repository, what=what):
                yield from (item for item in items if isinstance(item, dict))
        except RegistryError as error:
            error.where = error.where or self._where(what)
            raise

    def _document(self, what: str, query: dict[str, str]) -> Any:
        path = f"{API}/{what}" + (f"?{urlencode(query)}" if query else "")
        try:
            response = self.client.request(
                "GET", path, scopes=(), headers={"Accept": "application/json"}, ok=(200, 403, 404, 422)
            )
        except NotFound as error:
            raise self._no_nexus() from error
        if response.status == 403:
            raise Unauthorized(
                f"this user may not list Nexus's {what}",
                where=self._where(what),
                hint="give the user nx-repository-view-docker-NAME-browse and -read for this repository",
            )
        if response.status == 422:
            raise NotReady(f"Nexus has no repository {self.repository}", where=self._where(what))
        try:
            document = json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise self._no_nexus() from error
        if response.status == 404 or not isinstance(document, dict | list):
            raise self._no_nexus()
        return document

    def _by_port(self, registry: str) -> str:
        """The repository whose connector has the registry's port, where this user may see the settings."""
        port = registry.rpartition(":")[2]
        try:
            found = self._document("repositorySettings", {}) if port.isdecimal() else []
        except RegistryError:
            return ""
        for one in found if isinstance(found, list) else []:
            docker = one.get(str(one.get("format"))) if isinstance(one, dict) else None
            if isinstance(docker, dict) and port in (str(docker.get("httpPort")), str(docker.get("httpsPort"))):
                return str(one.get("name"))
        return ""

    def _no_nexus(self) -> RegistryError:
        return RegistryError(
            "what answers there is no Nexus REST API",
            where=public_url(self.client.base_url),
            hint="--nexus-source is the address of Nexus's pages (often port 8081 or 8443), with its context path",
        )

    def _where(self, what: str) -> str:
        return public_url(f"{self.client.base_url}{API}/{what}")


def _listed(known: dict[str, Any]) -> str:
    return f"add it to --nexus-source as /repository/NAME: {', '.join(sorted(known))}" if known else ""


def _digest(asset: dict[str, Any]) -> str:
    checksum = asset.get("checksum")
    digest = f"sha256:{checksum.get('sha256')}" if isinstance(checksum, dict) else ""
    return "" if digests.problem(digest) else digest


def _date(asset: dict[str, Any]) -> datetime | None:
    """``lastModified`` in ISO 8601, as Nexus writes it, or in the form of HTTP dates."""
    return dates.parse(str(asset.get("lastModified") or ""))

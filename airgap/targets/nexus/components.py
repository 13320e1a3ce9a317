# SPDX-License-Identifier: Apache-2.0
"""Lists what a hosted repository of Nexus contains, by the REST API: a component for each tag, and manifests by digest.

Raises an error instead of guessing which hosted repository is meant when several are possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from airgap import bounded_json
from airgap.errors import ContentError, NotFound, NotReady, RegistryError, Unauthorized, UsageError
from airgap.i18n import tr
from airgap.oci import dates
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.targets.nexus.rest import API, NexusRest, read_pages
from airgap.targets.nexus.settings import RepositorySettings

_MANIFEST_BY_DIGEST = re.compile(r"/?v2/(.+)/manifests/([a-z0-9]+:[0-9a-f]{32,})")


class Component(Record):
    """One tag. ``digest`` is empty and ``modified`` is ``None`` if Nexus does not return them."""

    image: str
    tag: str
    digest: str = ""
    media_type: str = ""
    modified: datetime | None = None


def split_address(url: str) -> tuple[str, str]:
    """Split ``https://nexus/repository/docker`` into Nexus's own address and the repository, which may be empty.

    Raises :class:`UsageError` for what is not an http or https address.
    """
    base, _, name = url.rstrip("/").partition("/repository/")
    if not re.match(r"https?://[^/@\s]+", base) or "/" in name or "@" in base:
        raise UsageError(
            tr("--nexus-source is Nexus's own address, without a user in it"),
            hint=tr(
                "such as https://nexus.example:8443, or https://nexus.example:8443/repository/NAME for one of its "
                "repositories"
            ),
        )
    return base.removesuffix(API), name.partition("/")[0]


def repository_in(prefix: str) -> str:
    """The repository that a prefix with ``repository/NAME`` in it names; else empty."""
    parts = prefix.split("/")
    return parts[parts.index("repository") + 1] if "repository" in parts[:-1] else ""


class ComponentLister(Record, frozen=False, eq=False):
    """Lists one hosted repository. ``repository`` is its name, which :meth:`find_repository` fills in if empty."""

    rest: NexusRest
    repository: str = ""

    def find_repository(self, registry: str, prefix: str) -> str:
        """Sign in, and return the name of the repository behind a registry's address.

        Raises :class:`NotReady` if the user sees none (:class:`Unauthorized` without a user), and :class:`UsageError`
        if there are several and neither the registry's port nor the first element of the prefix selects one.
        """
        if not self.rest.answers:
            raise self._not_nexus()
        self.rest.sign_in()
        documents = [item for item in self._read("repositories", {}) if isinstance(item, dict)]
        listed = map(RepositorySettings.from_json, documents)
        names = {repository.name for repository in listed if repository.is_registry}
        if self.repository:
            if self.repository not in names:
                raise NotReady(
                    tr("Nexus shows this user no docker repository {repository}", repository=self.repository),
                    where=self.rest.url,
                    hint=self._choose_hint(names),
                )
            return self.repository
        by_port = self._repository_by_port(registry)
        first = prefix.partition("/")[0]
        if by_port in names or first in names:
            self.repository = by_port if by_port in names else first
        elif len(names) == 1:
            self.repository = next(iter(names))
        elif names:
            raise UsageError(
                tr("which of Nexus's docker repositories is behind {registry}?", registry=registry),
                where=self.rest.url,
                hint=self._choose_hint(names),
            )
        else:
            kind = NotReady if self.rest.has_user else Unauthorized
            raise kind(
                tr("Nexus shows this user no docker repository"), where=self.rest.url, hint=self._choose_hint(names)
            )
        return self.repository

    def components(self) -> Iterator[Component]:
        """Yield every tag, in Nexus's order."""
        for item in self._items("components"):
            component = read_component(item)
            if component is not None:
                yield component

    def manifests_by_digest(self) -> Iterator[tuple[str, str]]:
        """Yield image and digest of every manifest that is stored by its digest, with or without a tag."""
        for asset in self._items("assets"):
            match = _MANIFEST_BY_DIGEST.fullmatch(unquote(str(asset.get("path") or "")))
            if match:
                yield match[1], match[2]

    def _items(self, list_name: str) -> Iterator[dict[str, Any]]:
        try:
            for items in read_pages(lambda query: self._read(list_name, query), self.repository, what=list_name):
                yield from (item for item in items if isinstance(item, dict))
        except RegistryError as error:
            error.where = error.where or self.rest.url_of(list_name)
            raise

    def _read(self, path: str, query: dict[str, str]) -> Any:
        """Read a list or a page of it; unlike :meth:`NexusRest.get`, what cannot be read is an error."""
        try:
            response = self.rest.call("GET", path, query, ok=(200, 403, 404, 422))
        except NotFound as error:
            raise self._not_nexus() from error
        if response.status == 403:
            raise Unauthorized(
                tr("this user may not list Nexus's {path}", path=path)
                if self.rest.has_user
                else tr("Nexus lists its {path} only to users who sign in", path=path),
                where=self.rest.url_of(path),
                hint=self._rights_hint(),
            )
        if response.status == 422:
            raise NotReady(
                tr("Nexus has no repository {repository}", repository=self.repository), where=self.rest.url_of(path)
            )
        try:
            document = bounded_json.parse(response.body, "rest")
        except bounded_json.TooLarge as error:
            raise RegistryError(error.what, where=self.rest.url_of(path), hint=error.hint) from error
        except ContentError as error:
            raise self._not_nexus() from error
        if response.status == 404 or not isinstance(document, dict | list):
            raise self._not_nexus()
        return document

    def _repository_by_port(self, registry: str) -> str:
        """The repository whose connector has the registry's port, if this user may see the settings; else empty."""
        port = registry.rpartition(":")[2]
        try:
            documents = self._read("repositorySettings", {}) if port.isdecimal() else []
        except RegistryError:
            return ""
        for document in documents if isinstance(documents, list) else []:
            docker = document.get(str(document.get("format"))) if isinstance(document, dict) else None
            if isinstance(docker, dict) and port in (str(docker.get("httpPort")), str(docker.get("httpsPort"))):
                return str(document.get("name"))
        return ""

    def _choose_hint(self, names: set[str]) -> str:
        if not names:
            return self._rights_hint()
        return tr("add it to --nexus-source as /repository/NAME: {names}", names=", ".join(sorted(names)))

    def _rights_hint(self) -> str:
        if not self.rest.has_user:
            return tr(
                "no user is known for it: airgap login {login_arguments}, or --source-username",
                login_arguments=self.rest.client.settings.login_arguments(self.rest.client.registry),
            )
        return tr("give the user nx-repository-view-docker-NAME-browse and -read for this repository")

    def _not_nexus(self) -> RegistryError:
        return RegistryError(
            tr("what answers there is no Nexus REST API"),
            where=self.rest.url,
            hint=tr("--nexus-source is the address of Nexus's pages (often port 8081 or 8443), with its context path"),
        )


def read_component(item: dict[str, Any]) -> Component | None:
    """Return the tag that an item of the list stands for; ``None`` for an item without a name or a tag."""
    image, tag = item.get("name"), item.get("version")
    if not (isinstance(image, str) and isinstance(tag, str) and image and tag):
        return None
    assets = item.get("assets")
    asset = assets[0] if isinstance(assets, list) and assets and isinstance(assets[0], dict) else {}
    modified = dates.parse(str(asset.get("lastModified") or ""))
    return Component(image, tag, _digest_of(asset), str(asset.get("contentType") or ""), modified)


def _digest_of(asset: dict[str, Any]) -> str:
    checksum = asset.get("checksum")
    digest = f"sha256:{checksum.get('sha256')}" if isinstance(checksum, dict) else ""
    return "" if digests.problem(digest) else digest

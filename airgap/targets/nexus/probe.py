# SPDX-License-Identifier: Apache-2.0
"""An address that is examined together with the REST API of the Nexus behind it (``--nexus``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.targets.nexus.rest import NexusRest
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.probe import Probe

if TYPE_CHECKING:
    from airgap.registry.http.transport import Response


class NexusProbe(Probe, frozen=False, eq=False):
    """A :class:`Probe` with what Nexus's settings say of the address.

    ``new_tags`` is how many tags an import would add. ``fix_repository`` is the repository that ``doctor --fix`` would
    create or give a connector to; ``fix_connector`` is the connector's port, or 0 for the port of the address. Behind a
    NodePort the two ports differ.
    """

    rest: NexusRest
    new_tags: int = 0
    fix_repository: str = "docker-hosted"
    fix_connector: int = 0

    @property
    def fix_port(self) -> int:
        """The port of the connector that ``doctor --fix`` would create."""
        return self.fix_connector or self.port

    @property
    def version(self) -> tuple[str, str]:
        """Nexus's version and edition, as :func:`version_of` returns them; the version may come from the REST API."""
        version, edition = version_of(self.response) if self.response is not None else ("", "")
        if not version and not self.client.password_refused:
            document = self.rest.get("../swagger.json")
            info = document.get("info") if isinstance(document, dict) else None
            version = str(info.get("version", "")) if isinstance(info, dict) else ""
        return version, edition

    @property
    def repository_to_fix(self) -> RepositorySettings | None:
        """The hosted repository :attr:`fix_repository`, if it exists and this user sees its settings."""
        matches = (
            repository
            for repository in self.rest.registries
            if repository.name == self.fix_repository and repository.type == "hosted" and repository.has_details
        )
        return next(matches, None)

    @property
    def repository(self) -> RepositorySettings | None:
        """The repository that the address leads to: by path, connector port or subdomain, or as the only one that this
        user sees; ``None`` if unknown."""
        registries = self.rest.registries
        return self._named_repository or (registries[0] if len(registries) == 1 else None)

    @property
    def repository_is_certain(self) -> bool:
        """Whether the address names :attr:`repository`, and it is not only the single one that this user sees."""
        return self._named_repository is not None

    @property
    def _named_repository(self) -> RepositorySettings | None:
        registries = self.rest.registries
        path = self.url.partition("://")[2].partition("/")[2].split("/")
        if "repository" in path[:-1]:
            name = path[path.index("repository") + 1]
            return next((repository for repository in registries if repository.name == name), None)
        for repository in registries:
            if self.port in repository.ports:
                return repository
        first = self.mapping.address.prefix.partition("/")[0]
        for repository in registries:
            if repository.path_enabled and repository.name == first:
                return repository
            if repository.subdomain and repository.subdomain == self.host.partition(".")[0]:
                return repository
        return None


def version_of(response: Response) -> tuple[str, str]:
    """``("3.96.3-01", "COMMUNITY")`` of ``Server: Nexus/3.96.3-01 (COMMUNITY)``; two empty strings without it."""
    name, _, rest = response.headers.get("Server", "").partition("/")
    if name != "Nexus":
        return "", ""
    version, _, edition = rest.partition(" ")
    return version, edition.strip("() ")

# SPDX-License-Identifier: Apache-2.0
"""Finds the repositories to read where an address is that of Nexus's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.errors import NotReady, UsageError
from airgap.i18n import tr
from airgap.registry.auth.missing import CredentialMissing
from airgap.targets.nexus.rest import NexusRest
from airgap.targets.nexus.routes import RepositoryRoute
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.probe import Probe

if TYPE_CHECKING:
    from airgap.registry import Registries


def rest_behind(registries: Registries, probe: Probe) -> tuple[NexusRest, str] | None:
    """Return the REST API at the address, or at the address with its prefix as context path, and the rest of the
    prefix; ``None`` if there is none."""
    prefix = probe.mapping.address.prefix
    for base, inner in ((probe.url, prefix), (f"{probe.url}/{prefix}", "")):
        rest = NexusRest(registries.client_at(probe.registry, base))
        if rest.answers:
            return rest, inner
        if not prefix:
            break
    return None


def routes_behind(registries: Registries, probe: Probe, *, every_repository: bool) -> list[RepositoryRoute]:
    """Return the ways to the registries behind Nexus's pages; none if the address is not that of its pages.

    Hosted repositories take precedence. With ``every_repository`` all hosted ones are returned if the address names
    nothing below the pages. Raises :class:`UsageError` with a list if there are several otherwise, and
    :class:`CredentialMissing` or :class:`NotReady` if this user sees none.
    """
    found = rest_behind(registries, probe)
    if found is None:
        return []
    rest, inner = found
    rest.sign_in()
    hosted = [repository for repository in rest.registries if repository.type == "hosted"]
    routes = [_route(rest, repository, inner) for repository in hosted or rest.registries]
    if len(routes) == 1 or (every_repository and hosted and not inner):
        return routes
    if routes:
        raise UsageError(
            tr(
                "these are Nexus's pages, and behind them are {candidates_count} Docker repositories: {listed}",
                candidates_count=len(routes),
                listed=", ".join(route.label for route in routes),
            ),
            where=rest.url,
            hint=tr("name one of them: {url}/repository/{name}", url=rest.url, name=routes[0].repository),
        )
    if not rest.has_user:
        settings = probe.client.settings
        raise CredentialMissing.of(
            tr("these are Nexus's pages, and they list their repositories only to users who sign in"),
            where=rest.url,
            registry=settings.credential_name(probe.registry),
            login_arguments=settings.login_arguments(probe.registry),
        )
    raise NotReady(
        tr("these are Nexus's pages, and this user sees no Docker repository behind them"),
        where=rest.url,
        hint=tr("give the user nx-repository-view-docker-NAME-browse and -read, or give the address of a connector"),
    )


def _route(rest: NexusRest, repository: RepositorySettings, inner: str) -> RepositoryRoute:
    base = f"{rest.client.base_url}/repository/{repository.name}"
    return RepositoryRoute(repository.name, base, inner, repository.ports[0] if repository.ports else 0)
